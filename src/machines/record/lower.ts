/** What the root of a machine is made of, below what the machine writes. */
export interface Lower {
  /** The folder that has the layers. */
  readonly folder: string;
  /** Paths relative to that folder, the top layer first. A chroot is one layer: `.`. */
  readonly layers: readonly string[];
}

/** Returns the only layer of a machine whose root is a whole tree. */
export function treeAsLower(tree: string): Lower {
  return { folder: tree, layers: ["."] };
}

/** Returns whether a machine starts from a pulled image, of which its path has only what the host reads. */
export function isPulledImage(
  { path, lower }: { readonly path: string; readonly lower: Lower },
): boolean {
  return lower.folder !== path;
}
