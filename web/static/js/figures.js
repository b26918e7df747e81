/** The format of figures, the same as in templates/figures.html: the line must look the same when the server's replaces the live one. */

export function duration(ms) {
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  if (ms < 59995) return `${(ms / 1000).toFixed(2)} s`;
  return `${Math.floor(ms / 60000)} min ${Math.floor((ms / 1000) % 60)} s`;
}

/** Microseconds as milliseconds with one decimal: enough to show the differences between hops. */
export function milliseconds(us) {
  return `${grouped((us / 1000).toFixed(1))} ms`;
}

/** A hop's own time, with two decimals if it is short, so that a tenth of a millisecond does not look like zero. */
export function fineMilliseconds(us) {
  return `${us < 995 ? (us / 1000).toFixed(2) : grouped((us / 1000).toFixed(1))} ms`;
}

function grouped(number) {
  return number.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}
