() => {
  const TOUCH = 43.5; // 44 px, less what rounding takes
  const faults = new Set();
  const words = (e) => (e.id ? `#${e.id}` : e.tagName.toLowerCase()) + ` “${(e.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40)}”`;
  const isHidden = (style) => style.clipPath === "inset(50%)" || style.clip === "rect(0px, 0px, 0px, 0px)";
  const ancestors = (e) => { const all = []; for (let up = e; up && up !== document.body; up = up.parentElement) all.push(getComputedStyle(up)); return all; };
  const visible = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !e.closest(".trap, .skip, [inert]") && !ancestors(e).some(isHidden);

  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) {
    const wide = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && visible(e));
    faults.add(`scrolls sideways, ${root.scrollWidth} px: ${wide.slice(-2).map(words).join(", ")}`);
  }

  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    if (!visible(e)) continue;
    const label = e.matches("[type=radio], [type=checkbox]") && e.labels[0];
    const box = (label || e).getBoundingClientRect();
    if (!box.width) continue;
    // A link within a sentence may be as high as its line (WCAG 2.2, 2.5.8).
    const around = e.parentElement.textContent.replace(e.textContent, "").trim();
    const inline = e.matches("a") && getComputedStyle(e).display === "inline" && around.length > 2;
    if (innerWidth < 768 && !inline && (box.height < TOUCH || box.width < TOUCH)) faults.add(`${Math.round(box.width)}×${Math.round(box.height)} px to touch: ${words(e)}`);
    e.scrollIntoView({ block: "center", inline: "center" });
    const rect = [...e.getClientRects()].find((one) => one.width > 4) || e.getBoundingClientRect();
    const top = document.elementFromPoint(rect.left + rect.width / 2, rect.top + rect.height / 2);
    if (top && !e.contains(top) && !top.contains(e) && !(label && label.contains(top)) && !top.closest("dialog")) faults.add(`${words(top)} lies over ${words(e)}`);
  }
  scrollTo(0, 0);

  for (const e of document.body.querySelectorAll("*")) {
    if (e instanceof SVGElement || e.matches("input, textarea") || !visible(e) || !e.textContent.trim()) continue;
    const style = getComputedStyle(e), cuts = (axis) => axis === "hidden" || axis === "clip";
    if ((cuts(style.overflowX) && e.scrollWidth > e.clientWidth + 1) || (cuts(style.overflowY) && e.scrollHeight > e.clientHeight + 1)) faults.add(`cut off: ${words(e)}`);
  }

  const lines = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || e instanceof SVGElement || e.matches("option, script, textarea") || !visible(e)) continue;
    if (ancestors(e).some((style) => /fixed|sticky/.test(style.position) || /auto|scroll/.test(style.overflowX + style.overflowY))) continue;
    const range = document.createRange();
    range.selectNodeContents(texts.currentNode);
    for (const rect of range.getClientRects()) if (rect.width > 2) lines.push([rect, e]);
  }
  lines.forEach(([a, x], at) => {
    for (const [b, y] of lines.slice(at + 1)) {
      if (x.contains(y) || y.contains(x)) continue;
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left), height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (width > 2 && height > 6) faults.add(`${words(x)} lies over ${words(y)}`);
    }
  });
  return [...faults].slice(0, 12);
}
