/* The dashboard's small helpers; listeners sit on the document, so that swapped-in fragments need no wiring. */
(function () {
  "use strict";
  document.documentElement.classList.add("js");

  /* Say something briefly: toast("Copied"), or an HX-Trigger of {"toast": {"text": "…", "tone": "good"}}. */
  function toast(text, tone) {
    var place = document.getElementById("toasts");
    if (!place || !text) { return; }
    var note = document.createElement("div");
    note.className = "toast" + (tone ? " toast--" + tone : "");
    note.textContent = text;
    place.appendChild(note);
    window.setTimeout(function () { note.remove(); }, Math.max(5000, text.length * 90));
  }
  document.addEventListener("toast", function (event) {
    var detail = event.detail || {};
    toast(detail.text || detail.value, detail.tone);
  });

  function copy(text) {
    if (navigator.clipboard) { return navigator.clipboard.writeText(text); }
    return new Promise(function (done, failed) {
      var area = document.createElement("textarea");
      area.value = text;
      area.className = "visually-hidden";
      document.body.appendChild(area);
      area.select();
      var copied = document.execCommand("copy");
      area.remove();
      if (copied) { done(); } else { failed(new Error("copy")); }
    });
  }

  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-copy], [data-share], [data-open], [data-close], [data-print]");
    if (!button) {
      if (event.target.nodeName === "DIALOG") { event.target.close(); }
      return;
    }
    if (button.dataset.print !== undefined) { window.print(); return; }
    if (button.dataset.copy !== undefined) {
      var source = button.dataset.copy ? document.getElementById(button.dataset.copy) : null;
      var text = source ? source.value || source.textContent.trim() : button.dataset.text;
      copy(text).then(
        function () { toast(button.dataset.copied, "good"); },
        function () { if (source && source.select) { source.select(); } }
      );
      return;
    }
    if (button.dataset.share !== undefined) {
      navigator.share({ title: button.dataset.title, text: button.dataset.text, url: button.dataset.share })
        .catch(function () { /* the reader changed their mind */ });
      return;
    }
    if (button.dataset.open) {
      var dialog = document.getElementById(button.dataset.open);
      if (dialog && dialog.showModal) { event.preventDefault(); dialog.showModal(); }
      return;
    }
    var open = button.closest("dialog");
    if (open) { event.preventDefault(); open.close(); }
  });

  /* The phone's own share sheet: offered only where there is one. */
  function prepare(within) {
    if (navigator.share) {
      Array.prototype.forEach.call(within.querySelectorAll("[data-share]"), function (button) { button.hidden = false; });
    }
    Array.prototype.forEach.call(within.querySelectorAll("form[data-seconds]"), function (form) {
      window.setTimeout(function () { form.remove(); }, Number(form.dataset.seconds) * 1000);
    });
    var summary = within.matches && within.matches("[data-focus]") ? within : within.querySelector("[data-focus]");
    if (summary) { summary.focus(); }
  }
  prepare(document);
  new MutationObserver(function (changes) {
    changes.forEach(function (change) {
      Array.prototype.forEach.call(change.addedNodes, function (node) {
        if (node.nodeType === 1 && node.querySelector) { prepare(node); }
      });
    });
  }).observe(document.getElementById("main") || document.body, { childList: true, subtree: true });

  /* What is swapped into the dialog opens it; a whole page swapped in behind it closes it, with the focus back where it was. */
  var dialog = document.getElementById("dialog");
  var opener = null;
  if (dialog && dialog.showModal) {
    document.addEventListener("htmx:before:request", function (event) {
      var source = event.detail && event.detail.ctx ? event.detail.ctx.sourceElement : null;
      if (source && source.id && !dialog.contains(source)) { opener = source.id; }
    });
    /* What was pressed went with the old content (the undo bar, say): on where the answer began, or on what was said. */
    function near() {
      var place = (opener && document.getElementById(opener)) || document.querySelector("#content [role=status]");
      if (!place) { return; }
      if (!place.matches("a, button")) { place.tabIndex = -1; }
      place.focus({ preventScroll: true });
    }
    new MutationObserver(function () {
      var filled = dialog.querySelector("#dialog-body > *");
      if (filled && !dialog.open) { dialog.showModal(); }
      var title = dialog.querySelector("[data-focus], #decision-title");
      if (filled && title) { title.focus(); }
    }).observe(document.getElementById("dialog-body"), { childList: true });
    dialog.addEventListener("close", function () {
      var stale = dialog.querySelector("[data-stale]");
      document.getElementById("dialog-body").textContent = "";
      if (stale && window.htmx) {  // somebody was faster: what lies behind is as old as what was refused
        window.htmx.ajax("GET", window.location.pathname + window.location.search,
          { target: "#content", select: "#content", swap: "outerHTML" });
      }
      var back = (opener && document.getElementById(opener)) || document.querySelector(".undo");
      if (back) { back.focus(); }
      var said = document.querySelector(".undo");  // the bar of what was ticked goes with the ticks
      if (said && document.activeElement !== back) { said.focus(); }
    });
    document.addEventListener("htmx:after:swap", function (event) {
      var target = event.detail && event.detail.ctx ? event.detail.ctx.target : null;
      if (!target || target.id !== "content") { return; }
      if (dialog.open) {
        document.getElementById("dialog-body").textContent = "";  // answered: nothing behind it is stale
        dialog.close();
      } else if (document.activeElement === document.body) { near(); }
    });
  }

  /* Filters apply as they are changed; the button stays for those without this script. */
  document.addEventListener("change", function (event) {
    var form = event.target.closest("form[data-auto-submit]");
    if (form && form.requestSubmit) { form.requestSubmit(); }
  });
  /* One press, one sending. */
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.dataset.once === undefined) { return; }
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
  });
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) {
      Array.prototype.forEach.call(document.querySelectorAll("form[data-sent]"), function (form) { delete form.dataset.sent; });
    }
  });
})();

/* What a filter found is said aloud, politely. */
document.addEventListener("htmx:after:swap", function () {
  "use strict";
  var results = document.querySelector("[data-said]");
  var place = document.querySelector("[data-says]");
  if (results && place && place.textContent !== results.dataset.said) { place.textContent = results.dataset.said; }
});

/* A menu closes as one turns elsewhere, and by Escape, which leaves the focus on what opened it. */
(function () {
  "use strict";
  document.addEventListener("click", function (event) {
    Array.prototype.forEach.call(document.querySelectorAll("details.menu[open]"), function (menu) {
      if (!menu.contains(event.target)) { menu.open = false; }
    });
  });
  document.addEventListener("keydown", function (event) {
    var menu = event.key === "Escape" && document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
})();

/* Of a row of tabs wider than the screen, the one that is open shows. */
(function () {
  "use strict";
  var current = document.querySelector(".tabs [aria-current]");
  if (current) { current.parentNode.parentNode.scrollLeft = current.offsetLeft - 24; }
})();

/* What htmx could not do is said, in the page's own words; a form's answer (409, 422) says so itself. */
(function () {
  "use strict";
  function failed() {
    var place = document.getElementById("toasts");
    if (place) {
      document.dispatchEvent(new CustomEvent("toast", { detail: { text: place.dataset.failed, tone: "bad" } }));
    }
  }
  document.addEventListener("htmx:response:error", function (event) {
    var ctx = event.detail && event.detail.ctx;
    var status = ctx && ctx.response ? ctx.response.status : 0;
    if (status !== 409 && status !== 422) { failed(); }
  });
  document.addEventListener("htmx:error", failed);
})();

/* The session has ended: the form is sent as one without scripts is, so that the sign-in page keeps what was typed. */
(function () {
  "use strict";
  document.addEventListener("htmx:after:request", function (event) {
    var ctx = event.detail && event.detail.ctx;
    var source = ctx && ctx.sourceElement;
    var form = source && (source.form || source.closest("form"));
    var away = ctx && ctx.hx && ctx.hx.redirect;
    if (!away || !form || form.method !== "post" || !/\/login(\?|$)/.test(away)) { return; }
    event.preventDefault();
    window.HTMLFormElement.prototype.submit.call(form);
  });
})();

/* The keyboard: what bears data-key is pressed, or gone to where one types; j and k walk through rows, x ticks one.
   The list of the keys is not on the page of someone who has switched them off. */
(function () {
  "use strict";
  if (!document.getElementById("keys")) { return; }

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
