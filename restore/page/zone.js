// A photo pasted or dropped anywhere on the page goes to the drop zone of the tab that is open, also
// in place of one that is there. Gradio's own picture takes a paste only through its button, and a
// drop beside it would make the browser leave the page. Where a browser cannot show what was given,
// a TIFF or a broken file, its name stands in place of the broken picture.

const zone = () => [...document.querySelectorAll(".takes-photos")].find((one) => one.offsetParent);

function give(files) {
  const there = zone();
  if (!there || !files.length) return;
  const input = () => there.querySelector("input[type=file]");
  const until = performance.now() + 2000; // milliseconds for the picture before to go
  const put = () => {
    if (input()) {
      const first = files.find((one) => one.type.startsWith("image/")) || files[0];
      const transfer = new DataTransfer();
      for (const file of input().multiple ? files : [first]) transfer.items.add(file);
      input().files = transfer.files;
      input().dispatchEvent(new Event("change", { bubbles: true }));
    } else if (performance.now() < until) requestAnimationFrame(put);
  };
  if (!input()) there.querySelector(`button[aria-label="${named("Remove Image")}"]`)?.click();
  put();
}

document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files || [])].filter((one) => one.type.startsWith("image/"));
  if (!files.length || !zone()) return;
  event.preventDefault();
  give(files);
});

const mark = (on) => zone()?.classList.toggle("drop-here", on);

document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  mark(true);
  event.preventDefault();
});
document.addEventListener("dragleave", (event) => event.relatedTarget || mark(false));
document.addEventListener("drop", (event) => mark(false), true);
document.addEventListener("drop", (event) => {
  if (event.defaultPrevented || !event.dataTransfer?.files.length) return;
  event.preventDefault();
  give([...event.dataTransfer.files]);
});

for (const kind of ["error", "load"]) {
  document.addEventListener(kind, ({ target }) => {
    const frame = target.matches?.(".image-frame img") && target.parentElement;
    if (!frame) return;
    if (kind === "load") delete frame.dataset.name;
    else frame.dataset.name = decodeURIComponent(target.src.split("/").pop());
  }, true);
}
