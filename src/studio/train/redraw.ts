/** Milliseconds between two drawings of the same thing. */
const PAUSE = 100;

/**
 * A function that has `draw` run in an animation frame soon, and rarely enough however often it is called. A hidden page has no
 * frames; it draws once when it is seen again.
 */
export function coalesced(draw: () => void): () => void {
  let wanted = false;
  let last = 0;
  return () => {
    if (wanted) return;
    wanted = true;
    setTimeout(
      () =>
        requestAnimationFrame(() => {
          wanted = false;
          draw();
          last = performance.now();
        }),
      Math.max(0, last + PAUSE - performance.now()),
    );
  };
}
