// <photo-viewer>: photos side by side that zoom and pan in step; two in one place get a divider.
// Viewers with the same `group` share zoom, place and lens. Texts come in through RESTORE_TEXTS.

const STEP = 2, FAR = 10; // per cent of the width that an arrow key and a page key move
const LARGEST = 8; // zoom
const LENS = 150; // side of the lens in CSS pixels
const groups = new Map(); // name -> {view, members}

function words() {
  const wanted = navigator.languages.map((name) => name.toLowerCase());
  for (const name of wanted) {
    const found = Object.keys(RESTORE_TEXTS).find((key) =>
      [name, name.split("-")[0]].includes(key.toLowerCase()) ||
      key.toLowerCase().split("-")[0] === name.split("-")[0]);
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
      pane.stage.style.height = `${Math.round(
        this.isFilling() && this.panes.length === 1 ? room : Math.min(room, (across * height) / width),
      )}px`;
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

  // ---- what a person does

  // The place under a pointer as shares of the photo.
  spot(pane, event) {
    const box = pane.stage.getBoundingClientRect();
    const [scale, width, height] = pane.shown;
    return {
      x: between(0, (event.clientX - box.left - pane.left) / (width * scale), 1),
      y: between(0, (event.clientY - box.top - pane.top) / (height * scale), 1),
    };
  }

  zoom(zoom, pane = null, event = null) {
    const { view } = this.group;
    if (pane && event) {
      const [scale, width, height] = pane.shown;
      const { x, y } = this.spot(pane, event);
      const box = pane.stage.getBoundingClientRect();
      const next = zoom || this.fit(pane);
      view.x = x - (event.clientX - box.left - box.width / 2) / (width * next);
      view.y = y - (event.clientY - box.top - box.height / 2) / (height * next);
    }
    view.zoom = zoom && between(Math.min(0.05, this.panes[0] ? this.fit(this.panes[0]) : 1), zoom, LARGEST);
    if (!view.zoom) [view.x, view.y] = [0.5, 0.5];
    this.settle();
    this.redrawGroup();
  }

  // Keeps the place in the middle within the photo, so that a pan never runs against an unseen wall.
  settle() {
    const { view } = this.group;
    const pane = this.panes[0];
    if (!pane) return;
    const [width, height] = this.size(pane);
    const scale = this.at(pane);
    const inside = (share, size, room) => {
      const half = room / (2 * size * scale);
      return half >= 0.5 ? 0.5 : between(half, share, 1 - half);
    };
    view.x = inside(view.x, width, pane.stage.clientWidth);
    view.y = inside(view.y, height, pane.stage.clientHeight);
  }

  pan(pane, right, down) {
    const [scale, width, height] = pane.shown;
    this.group.view.x += right / (width * scale);
    this.group.view.y += down / (height * scale);
    this.settle();
    this.redrawGroup();
  }

  divide(percent) {
    this.divider = between(0, percent, 100);
    this.draw();
  }

  toggleLens(pane = this.panes[0]) {
    const { view } = this.group;
    view.lens = view.lens ? null : { x: view.x, y: view.y };
    this.redrawGroup();
  }

  isFilling() {
    return document.fullscreenElement === this || this.classList.contains("viewer-filling");
  }

  fill() {
    if (document.fullscreenElement === this) document.exitFullscreen();
    else if (this.classList.contains("viewer-filling")) this.classList.remove("viewer-filling");
    else if (this.requestFullscreen) {
      this.requestFullscreen().catch(() => this.classList.add("viewer-filling")).then(() => this.filled());
      return;
    } else this.classList.add("viewer-filling"); // an iPhone has no full screen for elements
    this.filled();
  }

  filled() {
    this.fullButton.setAttribute("aria-pressed", String(this.isFilling()));
    requestAnimationFrame(() => this.draw());
  }

  listen(pane) {
    const { stage } = pane;
    stage.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      stage.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, event);
      const grabbed = pane.handle && pane.handle.contains(event.target);
      pane.drag = pane.handle && (grabbed || !stage.classList.contains("viewer-zoomed"))
        ? "divider" : "pan";
      if (pane.drag === "divider") this.follow(pane, event);
      if (pane.drag === "divider" && grabbed) pane.handle.focus({ preventScroll: true });
      if (event.pointerType === "mouse") event.preventDefault();
    });
    stage.addEventListener("pointermove", (event) => {
      const last = this.pointers.get(event.pointerId);
      if (this.group.view.lens) {
        this.group.view.lens = this.spot(pane, event);
        this.redrawGroup();
      }
      if (!last) return;
      if (this.pointers.size === 2) this.pinch(pane, event);
      else if (pane.drag === "divider") this.follow(pane, event);
      else this.pan(pane, last.clientX - event.clientX, last.clientY - event.clientY);
      this.pointers.set(event.pointerId, event);
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      stage.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    }
    stage.addEventListener("dblclick", (event) =>
      this.zoom(this.group.view.zoom ? 0 : Math.max(1, 2 * this.fit(pane)), pane, event));
    stage.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls the page
      event.preventDefault();
      this.zoom(this.at(pane) * Math.exp(-event.deltaY / 200), pane, event);
    }, { passive: false });
  }

  follow(pane, event) {
    const box = pane.stage.getBoundingClientRect();
    this.divide(((event.clientX - box.left) / box.width) * 100);
  }

  pinch(pane, event) {
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
    const last = this.pointers.get(event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    const middle = {
      clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2,
    };
    this.zoom((this.at(pane) * apart(event)) / apart(last), pane, middle);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.panes.length) return;
    const pane = this.panes.find((one) => one.stage.contains(event.target));
    const right = { ArrowLeft: -1, ArrowRight: 1 }[event.key] || 0;
    const down = { ArrowUp: -1, ArrowDown: 1 }[event.key] || 0;
    const far = { PageUp: 1, PageDown: -1 }[event.key] || 0;
    const doing = {
      "+": () => this.zoom(this.at(this.panes[0]) * 1.5),
      "=": () => this.zoom(this.at(this.panes[0]) * 1.5),
      "-": () => this.zoom(this.at(this.panes[0]) / 1.5),
      0: () => this.zoom(0),
      1: () => this.zoom(1),
      2: () => this.zoom(2),
      l: () => this.toggleLens(),
      f: () => this.fill(),
    }[event.key];
    if (doing) doing();
    else if (event.key === "Escape" && this.classList.contains("viewer-filling")) this.fill();
    else if (pane && pane.handle && (event.target === pane.handle || !this.group.view.zoom) && !this.group.view.lens) {
      if (event.key === "Home") this.divide(0);
      else if (event.key === "End") this.divide(100);
      else if (right || far || (event.target === pane.handle && down)) {
        this.divide(this.divider + STEP * (right - down) + FAR * far);
      } else return;
    } else if (pane && (right || down)) {
      const { lens } = this.group.view;
      if (lens && !this.group.view.zoom) {
        this.group.view.lens = {
          x: between(0, lens.x + (STEP / 100) * right, 1), y: between(0, lens.y + (STEP / 100) * down, 1),
        };
        this.redrawGroup();
      } else {
        this.pan(pane, 40 * right, 40 * down);
        if (lens) {
          this.group.view.lens = { x: this.group.view.x, y: this.group.view.y };
          this.redrawGroup();
        }
      }
    } else return;
    event.preventDefault();
  }
}

customElements.define("photo-viewer", PhotoViewer);
