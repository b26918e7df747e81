/** Runs a function at most once per animation frame, however often it is requested.
 *
 * A hidden tab gets no animation frames, so it uses a timer instead. A run that is waiting when the tab becomes hidden happens at once.
 */

const HIDDEN_INTERVAL_MS = 250;

export function perFrame(run) {
  let frame = 0;
  let timer = 0;

  /** `inFrame` says whether the browser paints directly after this. */
  function fire(inFrame) {
    cancel();
    run(inFrame);
  }

  function cancel() {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = timer = 0;
  }

  function request() {
    if (frame || timer) return;
    if (document.hidden) timer = setTimeout(fire, HIDDEN_INTERVAL_MS, false);
    else frame = requestAnimationFrame(() => fire(true));
  }

  function onVisibility() {
    if (document.hidden && frame) fire(false);
  }

  document.addEventListener("visibilitychange", onVisibility);
  return {
    request,
    /** Runs now if a run was requested. */
    flush: () => (frame || timer) && fire(false),
    /** Cancels the requested run and stops listening. */
    stop() {
      cancel();
      document.removeEventListener("visibilitychange", onVisibility);
    },
  };
}

/** Calls back once the next frame has been painted. A posted message is a separate task, which runs after the rendering. */
export function afterPaint(callback, inFrame) {
  if (!inFrame) {
    requestAnimationFrame(() => afterPaint(callback, true));
    return;
  }
  const channel = new MessageChannel();
  channel.port1.onmessage = () => {
    channel.port1.close();
    callback();
  };
  channel.port2.postMessage(null);
}
