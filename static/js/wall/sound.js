// The sound of an alarm: two tones, made by the browser, again and again until somebody has acknowledged it.
const AGAIN_MS = 4000;
const TONES_HZ = [880, 660];
const TONE_S = 0.22;
const LOUD = 0.25;

export class Sound {
  /** @param {() => void} onChange called when it may or may not be heard any more */
  constructor(onChange) {
    this.onChange = onChange;
    this.isMuted = false;
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.timer = undefined;
    // a browser lets a page be heard once somebody has touched it, a kiosk's at once
    for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => this.context?.resume());
  }

  /** Whether the browser keeps it silent until somebody touches the page. */
  get isBlocked() {
    return this.context?.state === "suspended";
  }

  begin() {
    if (this.timer !== undefined) return;
    this.play();
    this.timer = setInterval(() => this.play(), AGAIN_MS);
  }

  end() {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  mute() {
    this.isMuted = !this.isMuted;
    this.onChange();
  }

  play() {
    if (this.isMuted) return;
    if (!this.context) {
      this.context = new AudioContext();
      this.context.onstatechange = () => this.onChange();
    }
    const { context } = this;
    if (this.isBlocked) {
      this.onChange();
      return;
    }
    const volume = new GainNode(context, { gain: LOUD });
    volume.connect(context.destination);
    TONES_HZ.forEach((frequency, number) => {
      const tone = new OscillatorNode(context, { frequency, type: "triangle" });
      tone.connect(volume);
      tone.start(context.currentTime + number * TONE_S);
      tone.stop(context.currentTime + (number + 1) * TONE_S);
      tone.onended = () => tone.disconnect();
    });
  }
}
