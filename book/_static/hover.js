// A reader who hovers over a figure, taps on it, or uses the arrow keys reads the values
// of the nearest point. The places and values stand beside the picture as JSON, which
// fedlib/evidence/hover.py makes. Without this script the picture is as it was. It loads nothing.
(() => {
  "use strict";

  const STEPS = 10000; // as in fedlib/evidence/hover.py
  const NEAR = 40; // A point further away, in pixels of the screen, is not meant.
  const GAP = 12; // between a point and its label
  const within = (value, low, high) => Math.max(low, Math.min(value, high));

  function make(kind, text = "") {
    const made = document.createElement("span");
    made.className = `fedlib-${kind}`;
    made.textContent = text;
    return made;
  }

  function pointsOf(panels) {
    const lines = panels.flatMap((panel) => panel.lines.map((line) => ({ panel, line })));
    return lines.map(({ panel, line }, row) =>
      line.x.map((x, place) => ({
        panel, line, row, place, x,
        y: line.y[place],
        left: line.at[2 * place] / STEPS,
        top: line.at[2 * place + 1] / STEPS,
      })),
    );
  }

  function say([name, unit], value) {
    const shown = String(value).replace("-", typeof value === "number" ? "−" : "-");
    return (name && `${name}: `) + shown + (unit && ` ${unit}`);
  }

  function tell(box) {
    const image = box.querySelector("img");
    const lines = pointsOf(JSON.parse(box.querySelector(".fedlib-points").textContent).panels);
    const [mark, label, heard] = ["mark", "label", "heard"].map((kind) => make(kind));
    let shown = null;

    // Where the picture itself lies in the box, which may scroll.
    function area() {
      const style = getComputedStyle(image);
      const [left, top, right, bottom] = ["Left", "Top", "Right", "Bottom"].map((side) =>
        parseFloat(style[`padding${side}`]),
      );
      return {
        left: image.offsetLeft + image.clientLeft + left,
        top: image.offsetTop + image.clientTop + top,
        width: image.clientWidth - left - right,
        height: image.clientHeight - top - bottom,
      };
    }

    function show(point, byKeyboard = false) {
      if (point === shown) return;
      shown = point;
      mark.hidden = label.hidden = !point;
      heard.textContent = "";
      if (!point) return;
      const { left, top, width, height } = area();
      const [x, y] = [left + point.left * width, top + point.top * height];
      const [across, down] = point.panel.cell ?? [0, 0];
      mark.classList.toggle("fedlib-on-cell", across > 0);
      mark.style.cssText = `left: ${x}px; top: ${y}px; --line: ${point.line.colour}`;
      if (across > 0) {
        mark.style.width = `${(across / STEPS) * width}px`;
        mark.style.height = `${(down / STEPS) * height}px`;
      }
      const said = [say(point.panel.x, point.x), say(point.panel.y, point.y)];
      label.replaceChildren(make("name", point.line.name), ...said.map((text) => make("value", text)));
      if (byKeyboard) {
        mark.scrollIntoView({ block: "nearest", inline: "nearest" });
        const all = [point.panel.title, point.line.name, ...said];
        heard.textContent = all.filter(Boolean).join(", ");
      }
      // The label stays where it is seen: above and beside the point where there is room, and
      // never in a part of the box that is scrolled away.
      const [wide, high] = [label.offsetWidth, label.offsetHeight];
      const [first, last] = [box.scrollLeft, box.scrollLeft + box.clientWidth];
      const beside = x + GAP + wide > last ? x - GAP - wide : x + GAP;
      const above = y - GAP - high < 0 ? y + GAP : y - GAP - high;
      label.style.left = `${within(beside, first, Math.max(first, last - wide))}px`;
      label.style.top = `${within(above, 0, Math.max(0, box.clientHeight - high))}px`;
    }

    function nearest(event) {
      const outside = box.getBoundingClientRect();
      const { left, top, width, height } = area();
      const x = event.clientX - outside.left - box.clientLeft + box.scrollLeft - left;
      const y = event.clientY - outside.top - box.clientTop + box.scrollTop - top;
      let [found, least] = [null, Infinity];
      for (const point of lines.flat()) {
        const [across, down] = [point.left * width - x, point.top * height - y].map(Math.abs);
        const [wide, high] = point.panel.cell ?? [0, 0];
        const distance = Math.hypot(across, down);
        const meant = wide
          ? across <= (wide / STEPS / 2) * width && down <= (high / STEPS / 2) * height
          : distance <= NEAR;
        if (meant && distance < least) [found, least] = [point, distance];
      }
      return found;
    }

    function step(key) {
      if (!shown) return lines[0].at(-1);
      const line = lines[shown.row];
      if (key === "Home") return line[0];
      if (key === "End") return line.at(-1);
      if (key === "ArrowLeft") return line[Math.max(shown.place - 1, 0)];
      if (key === "ArrowRight") return line[Math.min(shown.place + 1, line.length - 1)];
      const other = lines[within(shown.row + (key === "ArrowDown" ? 1 : -1), 0, lines.length - 1)];
      const apart = (point) => Math.abs(point.left - shown.left);
      return other.reduce((best, point) => (apart(point) < apart(best) ? point : best));
    }

    mark.hidden = label.hidden = true;
    label.setAttribute("aria-hidden", "true"); // The same words are in what is heard.
    heard.setAttribute("role", "status");
    box.append(mark, label, heard);
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Figure: the arrow keys move from value to value");

    box.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") show(nearest(event));
    });
    box.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") show(null);
    });
    box.addEventListener("click", (event) => show(nearest(event)));
    box.addEventListener("focus", () => {
      if (box.matches(":focus-visible")) show(step(), true);
    });
    box.addEventListener("blur", () => show(null));
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      if (event.key === "Escape") return show(null);
      if (!/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key)) return;
      event.preventDefault();
      show(step(event.key), true);
    });
    document.addEventListener("click", (event) => box.contains(event.target) || show(null));
    addEventListener("resize", () => show(null));
  }

  const start = () => document.querySelectorAll(".fedlib-told").forEach(tell);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
