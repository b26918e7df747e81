/** Runs a function at most once per animation frame, however often it is asked for.
 *
 * A hidden tab gets no animation frames, so there a timer takes their place; what is waiting when the tab is hidden runs at once.
 */

const HIDDEN_INTERVAL_MS = 250;

export function perFrame(run) {
  let frame = 0;
  let timer = 0;

  /** `inFrame`: the browser paints directly after this. */
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
    /** Runs now, if a run was asked for. */
    flush: () => (frame || timer) && fire(false),
    /** Forgets what was asked for, and stops listening. */
    stop() {
      cancel();
      document.removeEventListener("visibilitychange", onVisibility);
    },
  };
}

/** Calls back once the coming frame has been painted: a message is a task of its own, after the rendering. */
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
