// The one error a handler throws on purpose. Anything else that is thrown is a defect: the door logs it and answers InternalError.

/** `fields` are further members of the modelled error (`BucketName`, `CancellationReasons`, ...), written as the protocol writes members. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;
  readonly fields: Record<string, unknown>;

  constructor(code: string, status: number, message: string, fields: Record<string, unknown> = {}) {
    super(message);
    this.name = code;
    this.code = code;
    this.status = status;
    this.fields = fields;
  }
}
