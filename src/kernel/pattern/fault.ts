// What is wrong with a pattern. Its caller makes it an error of its service.

export class PatternFault extends Error {
  /** The reason alone, with its place in the text where AWS says it: for services that have a sentence of their own around it. */
  readonly reason: string;

  constructor(reason: string, message = reason) {
    super(message);
    this.name = "PatternFault";
    this.reason = reason;
  }
}
