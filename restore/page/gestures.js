// What mouse, finger and keys do to a <photo-viewer> (viewer.js).

const STEP = 2, FAR = 10; // per cent of the width that an arrow key and a page key move
const LARGEST = 8; // zoom

class LivePhotoViewer extends PhotoViewer {
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

customElements.define("photo-viewer", LivePhotoViewer);
