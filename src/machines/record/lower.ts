/** What the root of a machine is made of, below what the machine writes. */
export interface Lower {
  /** The folder that has the layers. */
  readonly folder: string;
  /** Paths relative to that folder, the top layer first. A chroot is one layer: `.`. */
  readonly layers: readonly string[];
}

/** What a machine starts from: the tree of a chroot, or a pulled image. */
export interface RootSource {
  /** The tree, as a path without symlinks; of an image, a folder with those of its files that the host reads. */
  readonly path: string;
  readonly lower: Lower;
}

/** Returns the only layer of a machine whose root is a whole tree. */
export function treeAsLower(tree: string): Lower {
  return { folder: tree, layers: ["."] };
}

/** Returns whether a machine starts from a pulled image. */
export function isPulledImage({ path, lower }: RootSource): boolean {
  return lower.folder !== path;
}
