/* Offers are put elsewhere by hand: dragged by their handle, or with the arrow keys on it. The form then asks why, and saves.
   What moves past the one that is held are its neighbours, so that focus and pointer stay on it. */
(function () {
  "use strict";
  var before = null;  // the order as it was before a move that is not saved yet
  var moving = null;

  function list() { return document.querySelector(".standing"); }
  function lines() { return Array.prototype.slice.call(list().children); }
  function placeOf(line) { return lines().indexOf(line) + 1; }

  function number() {
    lines().forEach(function (line, n) { line.querySelector(".standing-place").textContent = n + 1; });
  }
  function step(line, down) {
    var next = down ? line.nextElementSibling : line.previousElementSibling;
    if (!next) { return false; }
    list().insertBefore(next, down ? line : line.nextElementSibling);
    number();
    return true;
  }
  function begin(line) {
    if (moving === line) { return; }
    back();
    before = lines();
    moving = line;
  }
  function back() {
    if (!before) { return; }
    var held = document.activeElement;
    before.forEach(function (line) { list().appendChild(line); });
    if (list().contains(held)) { held.focus(); }
    moving.querySelector("details").open = false;
    before = moving = null;
    number();
  }
  function say(line) {
    document.getElementById("order-said").textContent =
      list().dataset.placed.replace("{name}", line.dataset.name).replace("{place}", placeOf(line));
  }
  /* Where it is now, into the form; the focus goes to the reason. */
  function ask(line) {
    line.querySelector("select[name=place]").value = String(placeOf(line));
    line.querySelector("details").open = true;
    line.querySelector("input[name=reason]").focus();
  }

  document.addEventListener("pointerdown", function (event) {
    var handle = event.button === 0 && event.target.closest("[data-move]");
    if (!handle) { return; }
    var line = handle.closest("li");
    var from = placeOf(line);
    handle.setPointerCapture(event.pointerId);
    function middle(other) { var box = other.getBoundingClientRect(); return box.top + box.height / 2; }
    function drag(moved) {
      begin(line);
      line.classList.add("is-held");
      while (line.nextElementSibling && moved.clientY > middle(line.nextElementSibling)) { step(line, true); }
      while (line.previousElementSibling && moved.clientY < middle(line.previousElementSibling)) { step(line, false); }
    }
    function drop() {
      handle.removeEventListener("pointermove", drag);
      line.classList.remove("is-held");
      if (moving === line && placeOf(line) !== from) { ask(line); }
    }
    handle.addEventListener("pointermove", drag);
    handle.addEventListener("lostpointercapture", drop, { once: true });
  });

  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape" && before) { back(); return; }
    var handle = event.target.closest("[data-move]");
    if (!handle) { return; }
    var line = handle.closest("li");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      begin(line);
      if (step(line, event.key === "ArrowDown")) { say(line); line.scrollIntoView({ block: "nearest" }); }
    }
  });
  document.addEventListener("click", function (event) {
    var handle = event.target.closest("[data-move]");
    /* Enter and the space bar put it down; a press of the pointer that moved nothing opens the form too. */
    if (handle && !(event.detail && moving)) { ask(handle.closest("li")); }
    if (event.target.closest("[data-move-back]") && before) {
      event.preventDefault();
      var summary = moving.querySelector("[data-move]");
      back();
      summary.focus();
    }
  });
})();
