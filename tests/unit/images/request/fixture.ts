/** A host that has no credentials of its own. */

/** Variables by which all files of root with credentials are in a folder. */
export function homeIn(folder: string): Record<string, string> {
  return { HOME: folder, XDG_RUNTIME_DIR: `${folder}/run` };
}
