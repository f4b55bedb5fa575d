/* Signed in again: on to the form at once. The button is for those without this script. */
(function () {
  "use strict";
  var form = document.querySelector("form[data-resume]");
  if (form) { form.submit(); }
})();
