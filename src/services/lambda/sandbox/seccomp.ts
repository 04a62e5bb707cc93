// The seccomp filter.
export const seccompFilter = (): Buffer => Buffer.from([0x06, 0, 0, 0, 0, 0, 0xff, 0x7f]); // RET ALLOW
