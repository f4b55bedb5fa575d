/* The keyboard: what bears data-key is pressed, or gone to where one types; j and k walk through rows, x ticks one.
   This file is not on the page of someone who has switched it off. */
(function () {
  "use strict";

  function typing(target) {
    var tag = target.nodeName;
    if (tag === "INPUT") { return !/^(checkbox|radio|button|submit)$/.test(target.type); }
    return tag === "TEXTAREA" || tag === "SELECT" || target.isContentEditable;
  }

  function shown(element) { return element.getClientRects().length > 0 && !element.disabled; }

  function withKey(key, within) {
    return Array.prototype.find.call(within.querySelectorAll("[data-key]"), function (element) {
      return element.dataset.key === key && shown(element);
    });
  }

  function press(element) {
    if (typing(element)) {
      element.focus();
      if (element.select) { element.select(); }
    } else { element.click(); }
  }

  function rows() { return Array.prototype.slice.call(document.querySelectorAll("#main tr.is-link .is-main a")).filter(shown); }

  function walk(step) {
    var all = rows();
    var here = document.activeElement && document.activeElement.closest("tr.is-link");
    var at = all.findIndex(function (link) { return here && here.contains(link); });
    var next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
    return !!next;
  }

  function tick() {
    var row = document.activeElement && document.activeElement.closest("tr.is-link");
    var box = row && row.querySelector("input[name=offer]");
    if (box) { box.click(); }
    return !!box;
  }

  document.addEventListener("keydown", function (event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) { return; }
    if (typing(event.target)) {
      if (event.key === "Escape" && event.target.type === "search" && !event.target.value) { event.target.blur(); }
      if (event.key === "ArrowDown" && event.target.type === "search" && walk(1)) { event.preventDefault(); }
      return;
    }
    var open = document.querySelector("dialog[open]");
    var help = document.getElementById("keys");
    if (event.key === "?" && help && help.showModal) {
      event.preventDefault();
      if (help.open) { help.close(); } else if (!open) { help.showModal(); }
      return;
    }
    var element = withKey(event.key, open || document);
    if (element) {
      event.preventDefault();
      press(element);
      return;
    }
    if (open) { return; }
    var done = { j: walk.bind(null, 1), k: walk.bind(null, -1), x: tick }[event.key];
    if (done && done()) { event.preventDefault(); }
  });
})();
