/* The list of offers: the focus stays near, and what is new meanwhile is asked for only while somebody looks. */
(function () {
  "use strict";
  var EVERY = 5000;
  var title = document.title;

  /* What the focus was on may be gone with the filter it stood for: then it stays near, never at the top of the page. */
  var held = null;
  document.addEventListener("htmx:before:swap", function () {
    var list = document.getElementById("offer-list");
    held = list && list.contains(document.activeElement) ? document.activeElement.id : null;
  });
  function refocus() {
    if (held === null || document.activeElement !== document.body) { return; }
    var near = (held && document.getElementById(held)) || document.querySelector("#offer-results .chip") ||
      document.querySelector("#offer-results .tabs [aria-current]");
    if (near) { near.focus({ preventScroll: true }); }
  }

  document.addEventListener("htmx:after:swap", function () {
    refocus();
    count();
  });

  /* The title counts what is new, as the bar does. */
  function count() {
    var bar = document.getElementById("new-offers");
    var number = bar && bar.dataset.count;
    document.title = number ? "(" + number + ") " + title : title;
  }

  function ask() {
    var bar = document.getElementById("new-offers");
    if (bar && window.htmx) { window.htmx.trigger(bar, "ask"); }
  }
  var clock = null;
  function look() {
    window.clearInterval(clock);
    clock = null;
    if (document.visibilityState === "visible") { clock = window.setInterval(ask, EVERY); }
  }
  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "visible") { ask(); }
    look();
  });
  look();
})();

/* What is typed applies after a moment. Whoever clicks before it has been answered keeps both: the click takes it along. */
(function () {
  "use strict";
  var typed = {};
  var asked = {};
  document.addEventListener("input", function (event) {
    var field = event.target;
    if (field.form && field.form.id === "filter" && field.name) { typed[field.name] = field.value; }
  });
  document.addEventListener("htmx:config:request", function (event) {
    var ctx = event.detail.ctx;
    var source = ctx.sourceElement;
    var trigger = ctx.sourceEvent;
    if (source.id === "filter") {
      /* A click has overtaken what was typed, and has taken it along. */
      if (trigger && trigger.type === "input" && !Object.keys(typed).length) { event.preventDefault(); }
      asked = Object.assign({}, typed);
    } else if (source.closest("#offer-results, #new-offers") && source.matches("a")) {
      Object.keys(typed).forEach(function (name) {
        if (source.id !== "chip-" + name && source.id !== "chip-all") { ctx.request.body.set(name, typed[name]); }
      });
      typed = {};
    }
  });
  document.addEventListener("htmx:after:swap", function (event) {
    var source = event.detail && event.detail.ctx ? event.detail.ctx.sourceElement : null;
    if (!source || source.id !== "filter") { return; }
    Object.keys(asked).forEach(function (name) {
      if (typed[name] === asked[name]) { delete typed[name]; }
    });
    asked = {};
  });
})();

/* One menu of answers for all rows: it learns whose it is as it opens, beside its row. */
(function () {
  "use strict";
  var opener = null;

  document.addEventListener("click", function (event) {
    var menu = document.getElementById("answers");
    var arrow = event.target.closest("[data-answers]");
    if (arrow && menu && menu.showPopover) {
      event.preventDefault();
      opener = arrow;
      Array.prototype.forEach.call(menu.querySelectorAll("[data-status]"), function (item) {
        var status = item.dataset.status;
        var url = new URL(item.href);
        url.searchParams.set("offer", arrow.dataset.answers);
        item.href = url.href;
        item.hidden = status === arrow.dataset.status || (status === "new" && arrow.dataset.status !== "viewed");
      });
      if (menu.matches(":popover-open")) { menu.hidePopover(); }
      menu.showPopover({ source: arrow });
      menu.querySelector("[data-status]:not([hidden])").focus();
      return;
    }
    var item = event.target.closest("#answers [data-status]");
    if (item && window.htmx) {
      event.preventDefault();
      menu.hidePopover();
      window.htmx.ajax("GET", item.href, { source: opener, target: "#dialog-body", swap: "innerHTML" });
    }
  });
})();
