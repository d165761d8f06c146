// What Gradio says in English to everybody, in the visitor's words: the heads of its toasts, which are
// "Error" and "Warning" whatever title they are given, what it says itself when an upload or the
// connection fails, the names of its buttons, and to a screen reader "Thumbnail 1 of 9" instead of
// what is on the photo.

const HEADS = { error: "failed", warning: "note", info: "note" };
const SAID = [
  [/^HTTP \d+: (\{"detail": .*\})$/s, (found) => JSON.parse(found[1]).detail],
  [/^File\(s\) exceed|^HTTP 413/, () => words().too_large],
  [/^Invalid file type/, () => words().no_photo],
  [/^Connection (to the server was lost|errored out)/, () => words().lost],
  [/^This application is currently busy/, () => words().busy],
];

function put(element, find) {
  for (const node of element?.childNodes || []) {
    const text = node.nodeType === Node.TEXT_NODE && node.nodeValue.trim() && find(node.nodeValue);
    if (text && text !== node.nodeValue) node.nodeValue = text;
  }
}

function inOwnWords(text) {
  const [pattern, say] = SAID.find(([one]) => one.test(text)) || [];
  return pattern && say(pattern.exec(text));
}

const HOLE = /\{(\d)\}/g;
const NAMES = Object.entries(words().gradio).map(([english, own]) =>
  [new RegExp(`^${english.replace("|", "\\|").replaceAll(HOLE, "(.+)")}$`), own]);

const IN_ENGLISH = "footer button, .takes-photos button .wrap, .status .progress-text";

function named(text) {
  for (const [pattern, own] of NAMES) {
    const found = pattern.exec(text.trim());
    if (found) return own.replaceAll(HOLE, (_, at) => found[1 + Number(at)]);
  }
}

function name(element, attribute, text) { // what is the same again would be observed without end
  if (text && text !== element.getAttribute(attribute)) element.setAttribute(attribute, text);
}

new MutationObserver(() => {
  for (const attribute of ["aria-label", "title"]) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      name(element, attribute, named(element.getAttribute(attribute)));
    }
  }
  for (const element of document.querySelectorAll(IN_ENGLISH)) put(element, named);
  for (const caption of document.querySelectorAll(".examples .caption-label")) {
    const words = caption.textContent.trim();
    const button = caption.closest("button");
    name(button, "aria-label", words);
  }
  for (const toast of document.querySelectorAll(".toast-body")) {
    const kind = Object.keys(HEADS).find((one) => toast.classList.contains(one));
    put(toast.querySelector(".toast-title"), () => kind && words()[HEADS[kind]]);
    for (const item of toast.querySelectorAll(".toast-message-text")) put(item, inOwnWords);
    name(toast.querySelector(".toast-close"), "aria-label", words().close);
    const head = toast.querySelector(".toast-header"); // a button around a button: no reader's way
    head.removeAttribute("role");
    head.removeAttribute("tabindex");
  }
}).observe(document, {
  childList: true, subtree: true, characterData: true, attributeFilter: ["aria-label", "title"],
});
