// A clock that is turned by hand, in place of the timers and the time of this process.

/** Puts the clock in; it begins at 0 ms. */
export function turnedByHand() {
  let now = 0;
  let last = 0;
  const waiting = new Map(); // by number: when, and what then
  globalThis.setTimeout = (work, ms = 0) => {
    last += 1;
    waiting.set(last, { due: now + Math.max(0, ms), work });
    return last;
  };
  globalThis.clearTimeout = number => waiting.delete(number);
  Date.now = () => now;

  // What was promised meanwhile is done before the clock goes on.
  const settle = async () => {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };

  return {
    async pass(ms) {
      const end = now + ms;
      await settle();
      for (;;) {
        const [next] = [...waiting]
          .filter(([, { due }]) => due <= end)
          .sort(([, one], [, other]) => one.due - other.due);
        if (!next) break;
        const [number, { due, work }] = next;
        waiting.delete(number);
        now = due;
        work();
        await settle();
      }
      now = end;
    },
  };
}
