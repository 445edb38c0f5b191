// What the pages of verdicts and records do beyond folding. Without this script all of their text
// is still there. It loads nothing.
(() => {
  "use strict";

  const given = new URLSearchParams(location.search);
  const fold = (text) => text.toLowerCase().replace(/\s+/g, " ");

  // A link to something folded unfolds it. A link to a name that the text gives to a section, which
  // is a span in the page, unfolds the tables and figures of the section.
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    let folded = false;
    for (let part = target; part; part = part.parentElement) {
      if (part.hidden && part.matches("details, li")) part.hidden = false;
      if (part.tagName === "DETAILS" && !part.open) folded = part.open = true;
      if (part.matches(".toggle-hidden.admonition")) {
        part.querySelector(".toggle-button").click();
        folded = true;
      }
    }
    if (target.matches("section > span")) {
      target.parentElement
        .querySelectorAll(":scope > .cell > details:not(.above-input)")
        .forEach((part) => (part.open = folded = true));
    }
    if (folded) target.scrollIntoView();
  }

  // Commands get a button that copies them when they are first seen.
  function addButton(command) {
    if (command.querySelector("button")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy the command");
    button.addEventListener("click", async () => {
      const text = command.firstChild.textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(command);
        button.textContent = "Selected";
      }
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    command.append(button);
  }

  document.querySelectorAll(".fedlib-note .fedlib-command").forEach(addButton);
  document.addEventListener(
    "toggle",
    (event) => {
      if (event.target.open) event.target.querySelectorAll(".fedlib-command").forEach(addButton);
    },
    true,
  );

  // The claims: by words, paper and verdict. Rows that do not fit are hidden.
  function filterClaims(form) {
    const papers = [...document.querySelectorAll(".fedlib-verdicts")].map((paper) => ({
      element: paper,
      section: paper.closest("section"),
      slug: paper.dataset.paper,
      lists: [...paper.querySelectorAll(".fedlib-sentences")],
      sentences: [...paper.querySelectorAll(".fedlib-sentence")].map((sentence) => ({
        element: sentence,
        list: sentence.parentElement,
        text: fold(sentence.textContent),
        decided: !/not computed|undecided/.test(sentence.dataset.kind),
        rows: [...sentence.querySelectorAll("li")].map((row) => ({
          element: row,
          kind: row.dataset.kind,
          text: fold(
            [paper.dataset.words, sentence.firstChild.textContent, row.textContent,
              row.dataset.words].join(" "),
          ),
        })),
      })),
    }));
    const rows = papers.flatMap((paper) => paper.sentences.flatMap((sentence) => sentence.rows));
    const buttons = [...form.querySelectorAll("button[data-kind]")];
    const count = form.querySelector(".fedlib-count");
    const opened = new Set();

    function apply() {
      const words = fold(form.elements.words.value).split(" ").filter(Boolean);
      // A word that stands nowhere would hide everything. It is left out, and that is said.
      const known = words.filter((word) => rows.some((row) => row.text.includes(word)));
      const unknown = words.filter((word) => !known.includes(word));
      const kinds = buttons
        .filter((button) => button.getAttribute("aria-pressed") === "true")
        .map((button) => button.dataset.kind);
      const slug = form.elements.paper.value;
      const active = words.length > 0 || kinds.length > 0 || slug !== "";
      // The sentences that have most of the words in their own text come first, the decided ones
      // before the others. Without words all stand in the order of the paper.
      const score = (sentence) =>
        2 * known.filter((word) => sentence.text.includes(word)).length + sentence.decided;
      for (const paper of papers) {
        const order = words.length
          ? [...paper.sentences].sort((one, other) => score(other) - score(one))
          : paper.sentences;
        for (const sentence of order) sentence.list.append(sentence.element);
        paper.element.classList.toggle("fedlib-filtered", active);
      }
      const shown = [];
      const ofKind = new Map();
      let shownRows = 0;
      for (const paper of papers) {
        for (const sentence of paper.sentences) {
          let fits = 0;
          for (const row of sentence.rows) {
            const asked =
              (slug === "" || slug === paper.slug) &&
              known.every((word) => row.text.includes(word));
            // A button counts the rows that it would show.
            if (asked) ofKind.set(row.kind, (ofKind.get(row.kind) ?? 0) + 1);
            const fit = asked && (kinds.length === 0 || kinds.includes(row.kind));
            row.element.hidden = !fit;
            fits += fit;
          }
          sentence.element.hidden = fits === 0;
          if (fits) shown.push(sentence.element);
          shownRows += fits;
        }
        for (const list of paper.lists) {
          list.hidden = !list.querySelector(".fedlib-sentence:not([hidden])");
        }
        paper.section.hidden = active && paper.lists.every((list) => list.hidden);
      }
      // Few sentences are unfolded at once, and folded again when there are more.
      const few = active && shown.length <= 5;
      for (const sentence of few ? shown : opened) sentence.open = few;
      opened.clear();
      if (few) shown.forEach((sentence) => opened.add(sentence));
      for (const button of buttons) {
        button.querySelector("b").textContent = ofKind.get(button.dataset.kind) ?? 0;
      }
      count.textContent =
        `${shown.length} sentence${shown.length === 1 ? "" : "s"}, ${shownRows} of ${rows.length} rows` +
        (unknown.length ? `. Found nowhere and left out: ${unknown.join(", ")}` : "");
    }

    form.elements.words.value = given.get("words") ?? "";
    form.elements.paper.value = given.get("paper") ?? "";
    for (const button of buttons) {
      button.setAttribute("aria-pressed", given.getAll("verdict").includes(button.dataset.kind));
      button.addEventListener("click", () => {
        const pressed = button.getAttribute("aria-pressed") === "true";
        button.setAttribute("aria-pressed", !pressed);
        apply();
      });
    }
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    apply();
  }

  // The cells: by the patterns of the commands, or by words.
  function filterCells(form) {
    const cells = [...document.querySelectorAll(".fedlib-cell[id^='cell-']")].map((element) => ({
      element,
      key: element.querySelector("code").textContent,
    }));
    const sections = [...new Set(cells.map((cell) => cell.element.closest("section")))];
    const count = form.querySelector(".fedlib-count");
    const command = form.querySelector(".fedlib-command");
    const quoted = (text) => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

    function matcher(pattern) {
      const special = /[*?]/.test(pattern);
      const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
      const regex = new RegExp(`^${source.replace(/\*/g, ".*").replace(/\?/g, ".")}$`);
      return (key) => (special ? regex.test(key) : key === pattern || null);
    }

    function apply(patterns) {
      const wanted = patterns.map((text) => text.trim()).filter(Boolean);
      const exact = wanted.map(matcher);
      let shown = cells.filter((cell) => exact.some((fits) => fits(cell.key)));
      const byPattern = shown.length > 0;
      if (!byPattern) {
        const words = wanted.join(" ").split(/\s+/).filter(Boolean);
        shown = cells.filter((cell) => words.every((word) => cell.key.includes(word)));
      }
      const kept = new Set(shown);
      for (const cell of cells) cell.element.hidden = !kept.has(cell);
      for (const section of sections) {
        section.hidden = !section.querySelector(".fedlib-cell:not([hidden])");
      }
      count.textContent = `${shown.length} of ${cells.length} cells`;
      command.hidden = !(byPattern && wanted.length);
      command.textContent =
        `python -m fedlib verify ${form.dataset.slug}` +
        wanted.map((pattern) => ` --only ${quoted(pattern)}`).join("");
      if (!command.hidden) addButton(command);
      return shown;
    }

    const asked = given.getAll("only");
    form.elements.only.value = asked.length === 1 ? asked[0] : "";
    form.addEventListener("input", () => apply([form.elements.only.value]));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    const shown = apply(asked);
    if (asked.length && shown.length <= 60) for (const cell of shown) cell.element.open = true;
  }

  // The theme's folds in the side bar have a drawing alone, which a screen reader cannot read.
  function nameFolds() {
    for (const fold of document.querySelectorAll(".bd-sidebar summary")) {
      if (!fold.textContent.trim()) fold.setAttribute("aria-label", "Pages of this part");
    }
  }

  function start() {
    nameFolds();
    document.querySelectorAll(".fedlib-claims-filter").forEach(filterClaims);
    document.querySelectorAll(".fedlib-cells-filter").forEach(filterCells);
    reveal();
  }

  window.addEventListener("hashchange", reveal);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
