/* Another language, and what was typed comes along: also from another form of the page than the one that the switch names,
   and from fields that are out of sight. Without this script the switch sends the page's own form. */
(function () {
  "use strict";
  var edited = null;
  document.addEventListener("input", function (event) {
    var form = event.target.form;
    if (form && form.method === "post" && event.isTrusted) { edited = form; }
  });

  function copy(form, to, which) {
    var carrier = document.createElement("form");
    carrier.method = "post";
    carrier.action = to;
    carrier.hidden = true;
    var add = function (name, value) {
      var field = document.createElement("textarea");
      field.name = name;
      field.value = value;
      carrier.appendChild(field);
    };
    Array.prototype.forEach.call(form.elements, function (field) {
      if (!field.name || /^(file|submit|button|password|reset|image)$/.test(field.type)) { return; }
      if (/^(radio|checkbox)$/.test(field.type) && !field.checked) { return; }
      if (field.type === "select-multiple") {
        Array.prototype.forEach.call(field.selectedOptions, function (option) { add(field.name, option.value); });
      } else { add(field.name, field.value); }
    });
    Object.keys(which).forEach(function (name) { add(name, which[name]); });
    document.body.appendChild(carrier);
    window.HTMLFormElement.prototype.submit.call(carrier);
  }

  document.addEventListener("click", function (event) {
    var way = event.target.closest && event.target.closest("[data-language]");
    if (!way || event.ctrlKey || event.metaKey || event.shiftKey || event.button) { return; }
    var own = way.form || null;
    var form = way.dataset.language !== "own" && edited && document.contains(edited) ? edited : own;
    if (!form) { return; }
    event.preventDefault();
    var which = {};
    if (form === own) { which[way.name] = way.value; }
    else { which.refill = new URL(form.getAttribute("action"), window.location.href).pathname; }
    copy(form, way.getAttribute("formaction") || way.href, which);
  });
})();
