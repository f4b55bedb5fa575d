/* What a form was answered with, when something in it is wrong, is no page that the browser could come back to: it would ask
   whether to send the form again. Its place in this tab's history becomes that of the page that shows the form, and keeps
   what was typed for whoever typed it. Without this script the answer stays as it is. */
(function () {
  "use strict";
  var told = document.body.dataset;
  var person = told.person || "";
  var held = (window.history.state || {}).held || null;
  var path = function (url) { return new URL(url, window.location.href).pathname.replace(/^\/(ro|en)(?=\/)/, ""); };

  function sentTo(place) {
    return Array.prototype.filter.call(document.forms, function (form) {
      return form.method === "post" && path(form.getAttribute("action") || "") === place;
    })[0];
  }
  /* Fields whose value a person gives; of those out of sight only the version, so that a newer one is not written over. */
  function each(form, act) {
    Array.prototype.forEach.call(form.elements, function (field) {
      if (field.name && !/^(file|submit|button|password|reset|image|fieldset)$/.test(field.type) &&
          (field.type !== "hidden" || field.name === "version")) { act(field); }
    });
  }
  function values(form) {
    var found = [];
    each(form, function (field) {
      if (/^(radio|checkbox)$/.test(field.type) && !field.checked) { return; }
      if (field.type === "select-multiple") {
        Array.prototype.forEach.call(field.selectedOptions, function (option) { found.push([field.name, option.value]); });
      } else { found.push([field.name, field.value]); }
    });
    return found;
  }
  function put(form, pairs) {
    var left = {};
    pairs.forEach(function (pair) { (left[pair[0]] = left[pair[0]] || []).push(pair[1]); });
    each(form, function (field) {
      var waiting = left[field.name];
      if (/^(radio|checkbox)$/.test(field.type)) {
        if (waiting || field.type === "checkbox") { field.checked = Boolean(waiting) && waiting.indexOf(field.value) >= 0; }
      } else if (field.type === "select-multiple") {
        Array.prototype.forEach.call(field.options, function (option) {
          option.selected = Boolean(waiting) && waiting.indexOf(option.value) >= 0;
        });
      } else if (waiting && waiting.length) { field.value = waiting.shift(); }
    });
  }

  var place = told.answered || (held && held.person === person ? held.form : "");
  var form = !place ? null : place.charAt(0) === "/" ? sentTo(path(place)) : document.getElementById(place);
  if (form && !told.answers) { put(form, held.pairs); }
  if (!form && !told.answers) { return; }
  /* `htmx` marks its own entries; without the mark it would write over this one. */
  function keep() {
    var state = { htmx: true, held: form ? { form: path(form.getAttribute("action")), person: person, pairs: values(form) } : null };
    try { window.history.replaceState(state, "", told.answers || window.location.href); }
    catch (full) { window.history.replaceState({ htmx: true }, "", told.answers || window.location.href); }
  }
  keep();
  if (form) {
    form.addEventListener("change", keep);
    window.addEventListener("pagehide", keep);
  }
})();
