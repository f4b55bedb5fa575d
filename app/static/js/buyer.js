/* The buyer's pages. Everything here is a comfort: without it the same forms work by themselves. */
(function () {
  "use strict";
  var root = document.documentElement;
  var lang = root.lang || "ro";
  var each = function (selector, act, within) {
    Array.prototype.forEach.call((within || document).querySelectorAll(selector), act);
  };
  root.classList.add("js");

  /* Fields that only some answers call for. What is hidden is not sent. */
  function chosen(form, name) {
    var picked = form.querySelector('input[name="' + name + '"]:checked');
    return picked ? picked.value : "";
  }
  function toggle(form) {
    each("[data-when]", function (group) {
      var shown = group.dataset.is.split(" ").indexOf(chosen(form, group.dataset.when)) >= 0;
      group.hidden = !shown;
      each("input, select, textarea", function (field) { field.disabled = !shown; }, group);
    }, form);
  }

  /* Amounts, read as the server reads them (app/core/typed_numbers.py); `other` is a second meaning a thousand times away. */
  function readAmount(text) {
    var zeros = "٠۰०০੦૦୦௦౦೦൦๐໐༠၀០０";
    var words = { euro: "EUR", eur: "EUR", "€": "EUR", euros: "EUR", euroi: "EUR", lei: "RON", leu: "RON", ron: "RON", roni: "RON" };
    var scales = { k: 1e3, mii: 1e3, mie: 1e3, milioane: 1e6, milion: 1e6, million: 1e6, millions: 1e6, mio: 1e6, tsd: 1e3, mil: 1e6, m: 1e6, mln: 1e6 };
    var line = text.replace(/[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "").replace(/[^\x00-\x7f]/g, function (letter) {
      for (var i = 0; i < zeros.length; i += 1) {
        var digit = letter.charCodeAt(0) - zeros.charCodeAt(i);
        if (digit >= 0 && digit < 10) { return String(digit); }
      }
      return letter;
    }).replace(/[’‘ʼ′`´＇٬]/g, "'").replace(/．/g, ".").replace(/[，٫]/g, ",").replace(/\s+/g, " ").trim();
    var first = line.search(/[0-9]/);
    if (first < 0 || line.length > 60 || (first && ".,'".indexOf(line.charAt(first - 1)) >= 0)) { return null; }
    var digits = line.slice(first).replace(/[^0-9]+$/, "");
    var around = function (part) {
      return (part.toLowerCase().match(/[a-z\u00c0-\u024f]+|\S/g) || []).filter(function (word) { return ".,;:!\"„“”«»".indexOf(word) < 0; });
    };
    var after = around(line.slice(first + digits.length).replace(/^ ?[.,] ?[-–—]{1,2}/, "")).filter(function (word) { return word !== "de"; });
    var scale = after.length && Object.prototype.hasOwnProperty.call(scales, after[0]) ? after.shift() : "";
    var currency = "";
    var known = around(line.slice(0, first)).concat(after).every(function (word) {
      if (word === "noi" && currency === "RON") { return true; } /* lei since 2005 */
      var code = Object.prototype.hasOwnProperty.call(words, word) ? words[word] : "";
      var same = code && (!currency || currency === code);
      currency = code;
      return same;
    });
    var read = known && readDigits(digits, scale ? "" : ".");
    if (!read) { return null; }
    var value = read.value, other = read.other;
    if (scale) {
      if (other) { value = read.other; other = read.value; }
      value *= scales[scale];
      other = other ? other * scales[scale] : ["mil", "m", "mln"].indexOf(scale) >= 0 ? value / 1000 : 0;
    }
    if (value > 1e11 || Math.abs(value * 100 - Math.round(value * 100)) > 1e-4) { return null; }
    return { value: value, other: other || 0, odd: Boolean(read.odd), currency: currency };
  }
  function readDigits(digits, sure) {
    var exact = function (whole, decimals) { return parseFloat(whole.replace(/[ '.,]/g, "") + "." + (decimals || "0")); };
    var found = /^([0-9]{1,3}(?:([ '])[0-9]{3})(?:\2[0-9]{3})*)(?:[.,]([0-9]{1,2}))?$/.exec(digits);
    if (found) { return { value: exact(found[1], found[3]) }; }
    found = /^([0-9]{1,15})(?:[.,]([0-9]{1,2}|[0-9]{4,6}))?$/.exec(digits);
    if (found) { return { value: exact(found[1], found[2]), odd: found[1].length < 4 && (found[2] || "").length > 3 }; }
    found = /^([1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3})(?:\.([0-9]{1,2}))?$/.exec(digits);
    if (found) { return { value: exact(found[1], found[2]), odd: true }; }
    found = /^([1-9][0-9]{0,2}(?:([.,])[0-9]{3})(?:\2[0-9]{3})*)(?:([.,])([0-9]{1,2}))?$/.exec(digits);
    if (!found || found[2] === found[3]) { return null; }
    var lone = found[1].length <= 7 && !found[4] && found[2] !== sure;
    return { value: exact(found[1], found[4]), other: lone ? parseFloat(digits.replace(",", ".")) : 0 };
  }
  function showAmount(value, currency) {
    var cents = Math.round(value * 100) % 100 ? 2 : 0;
    var how = { style: "currency", currency: currency, currencyDisplay: "code", minimumFractionDigits: cents, maximumFractionDigits: cents };
    return new Intl.NumberFormat(lang, how).format(value);
  }
  function echo(form) {
    each("[data-echo]", function (line) {
      var field = document.getElementById(line.dataset.echo);
      var show = function () {
        var read = field.value ? readAmount(field.value) : null;
        line.textContent = "";
        var foreign = read && read.currency && read.currency !== form.dataset.currency;
        line.classList.toggle("echo--doubt", Boolean(read && (read.other || foreign)));
        if (!read) { return; }
        if (foreign) { line.textContent = line.dataset.foreign; return; }
        var strong = document.createElement("strong");
        strong.textContent = "= " + showAmount(read.value, form.dataset.currency);
        line.appendChild(strong);
        if (read.other) { line.appendChild(document.createTextNode(" / " + showAmount(read.other, form.dataset.currency) + " ?")); }
      };
      field.addEventListener("input", show);
      form.addEventListener("bidflux:reset", show);
      show();
    }, form);
  }

  /* A draft, in this tab only, without the signature, until the offer is sent. */
  var PREFIX = "bidflux-draft:";
  var store = null;
  try { store = window.sessionStorage; store.getItem("x"); } catch (blocked) { store = null; }
  function kept(field) {
    return field.name && field.type !== "hidden" && ["website", "consent", "step"].indexOf(field.name) < 0 &&
      field.name.split(".")[0] !== "confirmed" &&
      field.name.indexOf("signature") !== 0 && field.type !== "submit" && field.type !== "button";
  }
  function held(fields, asShown) {
    var values = {};
    fields.forEach(function (field) {
      var choice = field.type === "radio" || field.type === "checkbox";
      if (asShown ? (choice ? field.defaultChecked : field.defaultValue) : choice ? field.checked : field.value) { (values[field.name] = values[field.name] || []).push(asShown && !choice ? field.defaultValue : field.value); }
    });
    return values;
  }
  function put(fields, values) {
    fields.forEach(function (field) {
      var mine = values[field.name] || [];
      if (field.type === "radio" || field.type === "checkbox") { field.checked = mine.indexOf(field.value) >= 0; }
      else { field.value = mine[0] || ""; }
      var folded = field.closest("details");
      if (folded && mine[0] && field.type !== "radio") { folded.open = true; }
    });
  }
  /* `from` is how the page had filled the form in: the draft is put over that very form, and over no other. */
  function draft(form) {
    if (!store || "undrafted" in form.dataset) { return; }
    var key = PREFIX + form.getAttribute("action").replace(/^\/[a-z]{2}(?=\/)/, "");
    var note = document.querySelector("[data-draft-note]");
    var fields = Array.prototype.filter.call(form.elements, kept);
    var shown = JSON.stringify(held(fields, true));
    var restored = JSON.stringify(held(fields)) !== shown; /* the browser itself, on Back */
    var saved = null;
    try { saved = JSON.parse(store.getItem(key)); } catch (broken) { saved = null; }
    var answered = "answered" in form.dataset;
    var from = answered ? (saved && saved.from) || shown : shown;
    if (saved && saved.values && !answered && !restored && saved.from === shown && JSON.stringify(saved.values) !== shown) {
      put(fields, saved.values);
      if (note) { note.hidden = false; }
    }
    var save = function () {
      try { store.setItem(key, JSON.stringify({ from: from, values: held(fields) })); } catch (full) { /* a draft is a comfort */ }
    };
    if (answered) { save(); }
    form.addEventListener("input", save);
    form.addEventListener("change", save);
    each("[data-draft-clear]", function (button) {
      button.addEventListener("click", function () {
        store.removeItem(key);
        form.reset();
        form.dispatchEvent(new Event("bidflux:reset"));
        note.hidden = true;
        form.elements.full_name.focus();
      });
    });
  }
  if (store && document.querySelector("[data-sent]")) {
    Object.keys(store).forEach(function (key) {
      if (key.indexOf(PREFIX) === 0) { store.removeItem(key); }
    });
  }

  /* The signature: a picture in a hidden field. */
  function signature(form) {
    var part = form.querySelector("[data-signature]");
    if (!part) { return; }
    var canvas = part.querySelector("canvas");
    var hidden = form.elements.signature_drawn;
    var state = part.querySelector("[data-signature-state]");
    var typed = document.getElementById("signature_kind");
    if (!window.SignaturePad || !canvas.getContext) {
      each("fieldset, [data-when='signature_kind'][data-is='drawn']", function (piece) { piece.remove(); }, part);
      each("[data-when]", function (piece) { piece.removeAttribute("data-when"); }, part);
      hidden = document.createElement("input");
      hidden.type = "hidden"; hidden.name = "signature_kind"; hidden.value = "typed";
      part.appendChild(hidden);
      return;
    }
    if (!("chosen" in typed.dataset) && !document.getElementById("signature_kind-drawn").checked &&
        window.matchMedia("(pointer: coarse)").matches) {
      document.getElementById("signature_kind-drawn").checked = true;
    }
    var pad = new window.SignaturePad(canvas, { penColor: "#12233a", backgroundColor: "#ffffff", minWidth: 0.8, maxWidth: 2.6 });
    var width = 0;
    var strokes = null; /* as they were on the pad of the first width */
    var restored = hidden.value;
    var scaled = function (groups, by) {
      return groups.map(function (group) {
        var copy = Object.assign({}, group);
        copy.minWidth = group.minWidth * by;
        copy.maxWidth = group.maxWidth * by;
        copy.points = group.points.map(function (point) {
          return Object.assign({}, point, { x: point.x * by, y: point.y * by });
        });
        return copy;
      });
    };
    var taken = function (now) {
      return scaled(pad.toData(), strokes ? 1 / Math.min(1, now / strokes.width) : 1);
    };
    var say = function () { state.textContent = hidden.value ? state.dataset.signed : ""; };
    var fit = function () {
      if (!canvas.offsetWidth || canvas.offsetWidth === width) { return; }
      var ratio = Math.min(Math.max(window.devicePixelRatio || 1, 1), 2);
      if (!pad.isEmpty() && width) { strokes = { width: strokes ? strokes.width : width, groups: taken(width) }; }
      width = canvas.offsetWidth;
      canvas.width = width * ratio;
      canvas.height = canvas.offsetHeight * ratio;
      canvas.getContext("2d").scale(ratio, ratio);
      pad.clear();
      if (strokes) {
        /* The phone was turned: what was drawn is drawn again, smaller where it must be, and that is what is sent. */
        pad.fromData(scaled(strokes.groups, Math.min(1, width / strokes.width)));
        hidden.value = pad.toDataURL("image/png");
      }
      else if (restored) {
        var picture = new Image();
        picture.onload = function () {
          var scale = Math.min(width / picture.width, canvas.offsetHeight / picture.height);
          canvas.getContext("2d").drawImage(picture, 0, 0, picture.width * scale, picture.height * scale);
        };
        picture.src = restored;
      }
    };
    pad.addEventListener("beginStroke", function () {
      if (restored) { restored = ""; pad.clear(); }
    });
    pad.addEventListener("endStroke", function () { hidden.value = pad.toDataURL("image/png"); say(); });
    part.querySelector("[data-signature-clear]").addEventListener("click", function () {
      restored = "";
      strokes = null;
      pad.clear();
      hidden.value = "";
      say();
    });
    window.addEventListener("resize", fit);
    form.refit = fit;
    say();
  }

  /* Once in a tab: that the form stood in sight for five seconds, and that someone began to fill it in. */
  function count(form) {
    if (!store || !form.dataset.seen || !window.fetch) { return; }
    var told = function (what) {
      var key = "bidflux-" + what + ":" + form.dataset.seen.replace(/^\/[a-z]{2}(?=\/)/, "");
      if (store.getItem(key)) { return; }
      store.setItem(key, "1");
      window.fetch(form.dataset.seen, { method: "POST", body: new URLSearchParams({ what: what }), credentials: "omit", keepalive: true })
        .catch(function () { /* a number less */ });
    };
    var left = 5;
    var clock = window.setInterval(function () {
      if (document.visibilityState !== "visible") { return; }
      left -= 1;
      if (left <= 0) { window.clearInterval(clock); told("opened"); }
    }, 1000);
    form.addEventListener("input", function (event) {
      if (event.isTrusted) { told("begun"); }
    });
  }

  each("form[data-offer]", function (form) {
    count(form);
    signature(form);
    draft(form);
    var arrange = function () {
      toggle(form);
      if (form.refit) { form.refit(); } /* the pad knows its size only once it is in sight */
    };
    arrange();
    form.addEventListener("change", arrange);
    form.addEventListener("bidflux:reset", arrange);
    echo(form);
    each("[data-suggest]", function (button) {
      button.addEventListener("click", function () {
        var field = document.getElementById(button.dataset.for);
        field.value = button.dataset.suggest;
        field.dispatchEvent(new Event("input", { bubbles: true }));
        field.focus();
        button.closest(".question").hidden = true;
      });
    }, form);
  });

  /* One press, one sending; coming back by the Back button makes the button work again. */
  each("form[data-once]", function (form) {
    form.addEventListener("submit", function (event) {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
      each("button[data-busy]", function (button) {
        if (event.submitter && event.submitter !== button) { return; }
        button.setAttribute("aria-disabled", "true");
        button.dataset.idle = button.textContent;
        button.textContent = button.dataset.busy;
      }, form);
    });
  });
  window.addEventListener("pageshow", function (event) {
    if (!event.persisted) { return; }
    each("form[data-once]", function (form) {
      delete form.dataset.sent;
      each("button[data-idle]", function (button) {
        button.removeAttribute("aria-disabled");
        button.textContent = button.dataset.idle;
      }, form);
    });
  });

  /* What is left until the window closes or opens, by the server's clock: the device's own may be hours off. By how much
     is known from a page that has just come; a page that Back takes out of the browser's store is older than it says. */
  var SKEW = "bidflux-skew";
  var skew = 0;
  function measure() {
    var told = document.querySelector("[data-now]");
    var came = window.performance && performance.getEntriesByType ? performance.getEntriesByType("navigation")[0] : null;
    if (!told) { return; }
    if (came && came.type === "back_forward" && !came.transferSize) {
      skew = Number(store && store.getItem(SKEW)) || 0;
      return;
    }
    var since = came ? Math.max(0, performance.now() - came.responseStart) : 0;
    skew = new Date(told.dataset.now).getTime() + Math.min(since, 60000) - Date.now();
    try { if (store) { store.setItem(SKEW, String(skew)); } } catch (full) { /* the countdown is a comfort */ }
  }
  measure();
  function countdowns() {
    each("[data-countdown]", function (place) {
      var left = (new Date(place.dataset.countdown).getTime() - Date.now() - skew) / 1000;
      var text = place.dataset.closed;
      if (left > 0) {
        var unit = left > 172800 ? ["day", 86400] : left > 7200 ? ["hour", 3600] : left > 120 ? ["minute", 60] : ["second", 1];
        var near = new Intl.RelativeTimeFormat(lang, { numeric: "always" });
        text = place.dataset.closes + " " + near.format(Math.floor(left / unit[1]), unit[0]);
      }
      /* Read out when it ends, not every second. */
      place.setAttribute("aria-live", left > 0 ? "off" : "polite");
      if (place.textContent !== text) { place.textContent = text; }
    });
  }
  if (window.Intl && Intl.RelativeTimeFormat && document.querySelector("[data-countdown]")) {
    countdowns();
    window.setInterval(countdowns, 1000);
  }

  each("[data-focus]", function (place) { place.focus(); });
  each("[data-focus] a", function (link) {
    link.addEventListener("click", function (event) {
      var field = document.getElementById(link.hash.slice(1));
      if (!field) { return; }
      event.preventDefault();
      var folded = field.closest("details");
      if (folded) { folded.open = true; }
      field.scrollIntoView({ block: "center" });
      field.focus({ preventScroll: true });
    });
  });
  /* Back from the review by "Change": to that very field. */
  if (location.hash.length > 1 && !document.querySelector("[data-focus]")) {
    var target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.form) {
      if (target.closest("details")) { target.closest("details").open = true; }
      target.focus();
    }
  }

  each("[data-print]", function (button) {
    button.addEventListener("click", function () { window.print(); });
  });
  window.addEventListener("beforeprint", function () {
    each("details", function (folded) { folded.open = true; });
  });
  if (navigator.share) {
    each("[data-share-page]", function (button) {
      button.hidden = false;
      button.addEventListener("click", function () {
        navigator.share({ title: button.dataset.title, url: location.href }).catch(function () { /* the reader changed their mind */ });
      });
    });
  }
  each("[data-copy]", function (button) {
    if (!navigator.clipboard) { button.hidden = true; return; }
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(document.getElementById(button.dataset.copy).innerText).then(function () {
        button.querySelector("span").textContent = button.dataset.copied;
      });
    });
  });
})();
