// <photo-viewer>: photos side by side that zoom and pan in step; two in one place get a divider.
// Viewers with the same `group` share zoom, place and lens. Texts come in through RESTORE_TEXTS.
// This file builds and draws; gestures.js adds what mouse, finger and keys do.

const LENS = 150; // side of the lens in CSS pixels
const LOWEST = 120; // height of the stage of a very flat or small photo, in CSS pixels
const groups = new Map(); // name -> {view, members}

function words() {
  const first = navigator.language.toLowerCase(); // as Gradio does, and texts.py
  for (const wanted of [first, first.split("-")[0]]) {
    const found = Object.keys(RESTORE_TEXTS).find((key) => key.toLowerCase() === wanted);
    if (found) return { ...RESTORE_TEXTS.en, ...RESTORE_TEXTS[found] };
  }
  return RESTORE_TEXTS.en;
}

function make(tag, properties = {}, ...children) {
  const { aria = {}, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(aria)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const between = (low, value, high) => Math.min(Math.max(value, low), high);

class PhotoViewer extends HTMLElement {
  connectedCallback() {
    if (this.stages) return;
    this.texts = words();
    const name = this.getAttribute("group") || String(groups.size);
    if (!groups.has(name)) {
      // zoom 0: as large as fits; x, y: the place in the middle of the stage, as shares of the photo
      groups.set(name, { members: new Set(), view: { zoom: 0, x: 0.5, y: 0.5, lens: null } });
    }
    this.group = groups.get(name);
    this.group.members.add(this);
    this.divider = 50;
    this.blend = 1;
    this.panes = [];
    this.pointers = new Map();
    this.build();
    new ResizeObserver(() => this.draw()).observe(this);
    document.addEventListener("fullscreenchange", () => this.filled());
    if (this.pending) this.show(this.pending);
  }

  build() {
    const zooms = [[0, this.texts.fit], [1, "100 %"], [2, "200 %"]].map(([zoom, label]) =>
      make("button", { type: "button", textContent: label, zoom, onclick: () => this.zoom(zoom) }));
    this.zooms = zooms;
    this.scale = make("output", { className: "viewer-scale" });
    this.lensButton = make("button", {
      type: "button", textContent: this.texts.lens, onclick: () => this.toggleLens(),
    });
    this.fullButton = make("button", {
      type: "button", textContent: this.texts.fullscreen, onclick: () => this.fill(),
    });
    this.tools = make("div", {
      className: "viewer-tools", aria: { role: "toolbar", "aria-label": this.texts.view },
    }, ...zooms, this.scale, this.lensButton, this.fullButton);
    this.stages = make("div", { className: "viewer-stages" });
    this.placeholder = make("p", {
      className: "viewer-empty", textContent: this.texts.empty,
    });
    this.append(this.placeholder, this.stages, this.tools);
    this.addEventListener("keydown", (event) => this.key(event));
    this.toggleAttribute("empty", true);
  }

  // value: [file, file] for before and after, or [{image, caption}, ...], each file {url, orig_name}
  async show(value) {
    this.pending = value;
    if (!this.stages) return;
    const wanted = this.read(value);
    const token = (this.token = {});
    const loaded = await Promise.all(wanted.map((pane) => this.load(pane)));
    if (token !== this.token) return;
    this.panes = loaded;
    this.stages.replaceChildren(...loaded.map((pane) => pane.stage));
    this.stages.classList.toggle("viewer-grid", loaded.length > 1);
    this.toggleAttribute("empty", !loaded.length);
    this.draw();
  }

  read(value) {
    if (!value || !value.length) return [];
    if (value[0] && value[0].image) {
      return value.map(({ image, caption }) => ({ files: [image], captions: [caption] }));
    }
    return [{ files: value, captions: [this.texts.before, this.texts.after] }];
  }

  async load({ files, captions }) {
    const id = JSON.stringify([captions, files.map((file) => file.url)]);
    const there = this.panes.find((pane) => pane.id === id);
    if (there) return there;
    const images = files.map((file, i) =>
      make("img", {
        src: file.url, draggable: false, alt: `${captions[i]}: ${file.orig_name || ""}`,
      }));
    await Promise.all(images.map((image) => image.decode().catch(() => {})));
    const layers = images.map((image) => make("div", { className: "viewer-layer" }, image));
    const marks = captions.map((text, i) =>
      make("span", { className: `viewer-mark viewer-mark-${i}`, textContent: text || "" }));
    const lens = make("canvas", { className: "viewer-lens", hidden: true });
    const stage = make("div", {
      className: "viewer-stage", tabIndex: 0,
      aria: { role: "group", "aria-label": captions.join(" | ") + ". " + this.texts.keys },
    }, ...layers, ...marks, lens);
    const pane = { id, stage, images, layers, marks, lens };
    if (images.length > 1) {
      pane.handle = make("div", {
        className: "viewer-divider", tabIndex: 0,
        aria: {
          role: "slider", "aria-label": this.texts.divider, "aria-orientation": "horizontal",
          "aria-valuemin": 0, "aria-valuemax": 100,
        },
      }, make("span", { className: "viewer-knob", textContent: "⇔", aria: { "aria-hidden": true } }));
      stage.append(pane.handle);
    }
    this.listen(pane);
    return pane;
  }

  set strength(share) {
    this.blend = share;
    this.draw();
  }

  // ---- drawing

  size(pane) {
    const image = pane.images[0];
    return [image.naturalWidth || 1, image.naturalHeight || 1];
  }

  fit(pane) {
    const [width, height] = this.size(pane);
    return Math.min(pane.stage.clientWidth / width, pane.stage.clientHeight / height) || 1;
  }

  at(pane) {
    return this.group.view.zoom || this.fit(pane);
  }

  draw() {
    const { view } = this.group;
    for (const pane of this.panes) {
      const [width, height] = this.size(pane);
      const room = this.isFilling()
        ? innerHeight - 64
        : Math.min(innerHeight * (this.panes.length > 1 ? 0.45 : 0.68), 4 * height);
      const across = pane.stage.clientWidth;
      const fitting = Math.max(LOWEST, Math.min(room, (across * height) / width));
      const filling = this.isFilling() && this.panes.length === 1;
      pane.stage.style.height = `${Math.round(filling ? room : fitting)}px`;
    }
    for (const pane of this.panes) this.drawPane(pane, view);
    for (const button of this.zooms) {
      button.setAttribute("aria-pressed", String(button.zoom === view.zoom));
    }
    this.lensButton.setAttribute("aria-pressed", String(Boolean(view.lens)));
    this.scale.textContent = this.panes.length ? `${Math.round(this.at(this.panes[0]) * 100)} %` : "";
  }

  drawPane(pane, view) {
    const [width, height] = this.size(pane);
    const scale = this.at(pane);
    const { clientWidth: across, clientHeight: down } = pane.stage;
    const place = (share, size, room) =>
      size * scale <= room
        ? (room - size * scale) / 2
        : between(room - size * scale, room / 2 - share * size * scale, 0);
    pane.left = place(view.x, width, across);
    pane.top = place(view.y, height, down);
    pane.shown = [scale, width, height];
    for (const image of pane.images) {
      image.style.width = `${width * scale}px`;
      image.style.height = `${height * scale}px`;
      image.style.transform = `translate(${pane.left}px, ${pane.top}px)`;
      image.style.imageRendering = scale >= 2 ? "pixelated" : "auto";
    }
    const zoomed = width * scale > across + 1 || height * scale > down + 1;
    pane.stage.classList.toggle("viewer-zoomed", zoomed);
    if (pane.handle) {
      const cut = this.divider;
      pane.layers[1].style.clipPath = `inset(0 0 0 ${cut}%)`;
      pane.layers[1].style.opacity = this.blend;
      pane.handle.style.left = `${cut}%`;
      pane.handle.setAttribute("aria-valuenow", Math.round(cut));
      pane.handle.setAttribute(
        "aria-valuetext", `${Math.round(cut)} % ${this.texts.before}, ${Math.round(100 - cut)} % ${this.texts.after}`);
      pane.marks[0].style.opacity = cut < 18 ? 0 : 1;
      pane.marks[1].style.opacity = cut > 82 ? 0 : 1;
    }
    this.drawLens(pane, view.lens);
  }

  drawLens(pane, spot) {
    pane.lens.hidden = !spot;
    if (!spot) return;
    const [scale, width, height] = pane.shown;
    const dots = devicePixelRatio || 1;
    const enlarged = Math.max(1, 3 * this.fit(pane), 2 * scale);
    const halves = pane.images.length;
    const side = Math.min(LENS, pane.stage.clientWidth / (halves + 0.5));
    pane.lens.width = Math.round(halves * side * dots);
    pane.lens.height = Math.round(side * dots);
    pane.lens.style.width = `${halves * side}px`;
    pane.lens.style.height = `${side}px`;
    const canvas = pane.lens.getContext("2d");
    canvas.imageSmoothingEnabled = enlarged * dots < 2;
    const seen = side / enlarged;
    const [x, y] = [spot.x * width - seen / 2, spot.y * height - seen / 2];
    pane.images.forEach((image, i) => {
      const target = [i * side * dots, 0, side * dots, side * dots];
      const source = [x, y, seen, seen];
      if (i) canvas.drawImage(pane.images[0], ...source, ...target);
      canvas.globalAlpha = i ? this.blend : 1;
      canvas.drawImage(image, ...source, ...target);
      canvas.globalAlpha = 1;
    });
    if (halves > 1) {
      canvas.fillStyle = "white";
      canvas.fillRect(side * dots - dots, 0, 2 * dots, side * dots);
    }
    const [px, py] = [pane.left + spot.x * width * scale, pane.top + spot.y * height * scale];
    const left = between(0, px - (halves * side) / 2, pane.stage.clientWidth - halves * side);
    const above = py - side - 24;
    pane.lens.style.left = `${left}px`;
    pane.lens.style.top = `${above >= 0 ? above : Math.min(py + 24, pane.stage.clientHeight - side)}px`;
  }

  redrawGroup() {
    for (const member of this.group.members) {
      if (member.isConnected) member.draw();
      else this.group.members.delete(member);
    }
  }
}
