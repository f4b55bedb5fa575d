/* What is ticked stays ticked from page to page, in this tab and for this person; forms carry what is not in sight. */
(function () {
  "use strict";
  var STORE = "chosen-offers";

  function form() { return document.getElementById("chosen") || document.getElementById("tray"); }

  function chosen(place) {
    try {
      var held = JSON.parse(window.sessionStorage.getItem(STORE)) || {};
      return held.person === place.dataset.tray && Array.isArray(held.ids) ? held.ids : [];
    } catch (error) { return []; }
  }
  function keep(place, ids) {
    try {
      window.sessionStorage.setItem(STORE, JSON.stringify({ person: place.dataset.tray, ids: ids }));
    } catch (error) { /* no storage: what is ticked holds for this page */ }
  }
  function without(ids, id) { return ids.filter(function (other) { return other !== id; }); }
  function each(selector, act) { Array.prototype.forEach.call(document.querySelectorAll(selector), act); }

  function show() {
    var place = form();
    if (!place) { return; }
    var ids = chosen(place);
    var unseen = ids;
    each("#chosen input[type=checkbox][name=offer]", function (box) {
      box.checked = ids.indexOf(box.value) >= 0;
      unseen = without(unseen, box.value);
    });
    var boxes = document.querySelectorAll("#chosen input[type=checkbox][name=offer]");
    var ticked = document.querySelectorAll("#chosen input[type=checkbox][name=offer]:checked").length;
    each("#tick-all", function (all) {
      all.checked = boxes.length > 0 && ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
    });
    each("input.carried", function (input) { input.remove(); });
    unseen.forEach(function (id) {
      var input = document.createElement("input");
      input.type = "hidden";
      input.className = "carried";
      input.name = "offer";
      input.value = id;
      place.appendChild(input);
    });
    each("[data-tray-count]", function (count) { count.textContent = ids.length; });
    each("[data-tray-toggle]", function (button) {
      button.setAttribute("aria-pressed", ids.indexOf(button.dataset.trayToggle) >= 0 ? "true" : "false");
    });
    if (place.id === "tray") { place.hidden = !ids.length; }
  }
  function set(some, on) {
    var place = form();
    var ids = some.reduce(without, chosen(place));
    var all = on ? ids.concat(some) : ids;
    if (all.length > Number(place.dataset.most)) {
      all = all.slice(0, Number(place.dataset.most));
      document.dispatchEvent(new CustomEvent("toast", { detail: { text: place.dataset.full, tone: "warn" } }));
    }
    keep(place, all);
    show();
  }
  function clear() {
    if (form()) { keep(form(), []); }
    show();
  }

  document.addEventListener("change", function (event) {
    if (event.target.matches("#chosen input[name=offer]")) { set([event.target.value], event.target.checked); }
    if (event.target.id === "tick-all") {
      var shown = [];
      each("#chosen input[type=checkbox][name=offer]", function (box) { shown.push(box.value); });
      set(shown, event.target.checked);
    }
  });
  document.addEventListener("click", function (event) {
    var toggle = event.target.closest("[data-tray-toggle]");
    if (toggle) { set([toggle.dataset.trayToggle], toggle.getAttribute("aria-pressed") !== "true"); }
    if (event.target.closest("[data-tray-clear]")) { clear(); }
  });
  /* Answered: the choice has done its work. */
  document.addEventListener("htmx:after:swap", function (event) {
    var target = event.detail && event.detail.ctx ? event.detail.ctx.target : null;
    if (target && target.id === "content" && document.querySelector(".undo")) { clear(); } else { show(); }
  });
  window.addEventListener("pageshow", show);
  show();
})();
