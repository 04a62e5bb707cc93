// The names that programs give to files that are not meant to stay. Data: a renamed or added rule needs no other change.

export interface TemporaryName {
  readonly by: string;
  readonly pattern: RegExp;
  /**
   * `ignore`: never hinted as finished; for names that no other program uses, and that may stay for long (a download).
   * `hold`: hinted once it has stayed for the hold time; for names that could as well be somebody's file. None is lost.
   */
  readonly verdict: "ignore" | "hold";
}

/** Matched against the last segment of a file's path, the first rule that fits counts. That a file is gone is always hinted. */
export const temporaryNames: readonly TemporaryName[] = [
  { by: "Firefox, KDE: a download", pattern: /\.part$/, verdict: "ignore" },
  { by: "Chromium: a download", pattern: /\.crdownload$/, verdict: "ignore" },
  { by: "Safari: a download", pattern: /\.download$/, verdict: "hold" },
  { by: "Emacs: a lock", pattern: /^\.#/, verdict: "ignore" },
  { by: "LibreOffice: a lock", pattern: /^\.~lock\..*#$/, verdict: "ignore" },
  { by: "NFS: an open file that was removed", pattern: /^\.nfs[0-9a-f]{16,}$/, verdict: "ignore" },
  { by: "FUSE: an open file that was removed", pattern: /^\.fuse_hidden[0-9a-f]+$/, verdict: "ignore" },
  { by: "rsync: .name.AbC123", pattern: /^\..+\.[A-Za-z0-9]{6}$/, verdict: "hold" },
  { by: "vim: the test whether a directory is writable", pattern: /^(4913|5036|5159)$/, verdict: "hold" },
  { by: "vim: the swap file, and its test whether it may make one", pattern: /^\..*\.sw[a-px]x?$/, verdict: "hold" },
  { by: "vim, Emacs: the backup", pattern: /~$/, verdict: "hold" },
  { by: "sed -i: sedAbC123", pattern: /^sed[A-Za-z0-9]{6}$/, verdict: "hold" },
  { by: "GLib: .goutputstream-AbC123", pattern: /^\.goutputstream-[A-Z0-9]{6}$/, verdict: "hold" },
  { by: "many: name.tmp", pattern: /\.te?mp$/i, verdict: "hold" },
  { by: "many: name.tmp.12345, name.tmp-AbC123", pattern: /\.tmp[.-][A-Za-z0-9]+$/, verdict: "hold" },
];

/** Directories that nothing is hinted of: rsync moves the files out of them when they are complete (--delay-updates, --partial-dir). */
export const temporaryDirectories: ReadonlySet<string> = new Set([".~tmp~", ".rsync-partial"]);

/** What becomes of the end of writing of a file with this name; undefined: it is hinted at once. */
export const temporary = (name: string): TemporaryName["verdict"] | undefined =>
  temporaryNames.find(({ pattern }) => pattern.test(name))?.verdict;
