// A photo pasted anywhere on the page goes to the drop zone of the tab that is open, also in place
// of one that is there; Gradio's own picture takes a paste only through its button.

document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files || [])];
  const file = files.find((one) => one.type.startsWith("image/"));
  const zone = [...document.querySelectorAll(".takes-paste")].find((one) => one.offsetParent);
  if (!file || !zone) return;
  event.preventDefault();
  const transfer = new DataTransfer();
  transfer.items.add(file);
  const input = () => zone.querySelector("input[type=file]");
  const until = performance.now() + 2000; // milliseconds for the picture before to go
  const give = () => {
    if (input()) {
      input().files = transfer.files;
      input().dispatchEvent(new Event("change", { bubbles: true }));
    } else if (performance.now() < until) requestAnimationFrame(give);
  };
  if (!input()) zone.querySelector('button[aria-label="Remove Image"]')?.click();
  give();
});
