"use strict";
// Point at any map: the same pixel is marked on all of them and its abundances are read out.
// Click: the map large. Values come from the maps' own colours, so nothing is stored twice.
(() => {
  const root = document.querySelector("main");
  const readout = document.getElementById("readout");
  const frames = [...document.querySelectorAll(".frame")];
  const members = [...document.querySelectorAll(".frame[data-colour]")];
  const level = new Map();
  const colours = root.dataset.colours.match(/.{6}/g);
  colours.forEach((hex, i) => level.set(parseInt(hex, 16), i / (colours.length - 1)));
  const geo = root.dataset.transform.split(" ").map(Number);
  const step = Number(root.dataset.step);

  const pixels = new Map();
  function read(frame) {
    if (!pixels.has(frame)) {
      const image = frame.querySelector("img");
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      pixels.set(frame, context.getImageData(0, 0, canvas.width, canvas.height));
    }
    return pixels.get(frame);
  }

  function abundance(frame, u, v) {
    const { data, width, height } = read(frame);
    const i = 4 * (Math.floor(v * height) * width + Math.floor(u * width));
    if (data[i + 3] === 0) return NaN;
    return level.get((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  }

  function item(text, colour) {
    const span = document.createElement("span");
    if (colour) {
      const swatch = document.createElement("i");
      swatch.className = "swatch";
      swatch.style.background = colour;
      span.append(swatch);
    }
    span.append(text);
    return span;
  }

  function place(u, v) {
    const [rows, columns] = [Number(root.dataset.rows), Number(root.dataset.columns)];
    const [x, y] = [Math.floor(u * columns), Math.floor(v * rows)];
    const text = `row ${y + 1}, column ${x + 1}${step > 1 ? ` (mean of ${step} × ${step})` : ""}`;
    if (geo.length < 6) return text;
    const east = geo[0] + (x + .5) * geo[1] + (y + .5) * geo[2];
    const north = geo[3] + (x + .5) * geo[4] + (y + .5) * geo[5];
    const digits = Math.abs(geo[1]) + Math.abs(geo[2]) < .01 ? 5 : 0;
    return `${text} · ${east.toFixed(digits)}, ${north.toFixed(digits)}`;
  }

  function show(event) {
    if (!frames.every((f) => f.querySelector("img").naturalWidth)) return; // not decoded yet
    const box = event.currentTarget.getBoundingClientRect();
    const clamp = (t) => Math.min(Math.max(t, 0), .999999);
    const u = clamp((event.clientX - box.left) / box.width);
    const v = clamp((event.clientY - box.top) / box.height);
    for (const frame of frames) {
      const mark = frame.querySelector(".cross");
      mark.style.cssText = `display:block;left:${100 * u}%;top:${100 * v}%`;
    }
    const found = members.map((f) => [f.dataset.name, f.dataset.colour, abundance(f, u, v)]);
    const good = found.filter((f) => f[2] >= .005).sort((a, b) => b[2] - a[2]).slice(0, 5);
    readout.replaceChildren(item(place(u, v)), ...good.map(
      ([name, colour, value]) => item(`${name} ${value.toFixed(2)}`, colour)));
    if (!found.some((f) => f[2] >= 0)) readout.append(item("masked"));
  }

  function hide() {
    readout.replaceChildren();
    for (const frame of frames) frame.querySelector(".cross").style.display = "none";
  }

  const dialog = document.querySelector("dialog");
  function enlarge(event) {
    const copy = event.currentTarget.cloneNode(true);
    copy.style.maxWidth = "none";
    copy.addEventListener("click", () => dialog.close());
    const title = document.createElement("p");
    title.textContent = event.currentTarget.dataset.title;
    dialog.replaceChildren(title, copy);
    dialog.showModal();
  }

  for (const frame of frames) {
    frame.addEventListener("pointermove", show);
    frame.addEventListener("pointerleave", hide);
    frame.addEventListener("click", enlarge);
  }
  root.dataset.ready = "yes";
})();
