import type { CommandRun } from "../app/command.ts";
import { findImages } from "../images/store/find.ts";
import { removeImage } from "../images/store/remove.ts";
import { nameOf } from "../images/store/retention.ts";
import { refused } from "../failure.ts";

/** Removes a pulled image. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const { store } = await load();
  for (const image of await findImages(host, store, invocation.positionals["image"] ?? "")) {
    const users = await removeImage(host, store, image.id);
    if (users !== null) {
      throw refused(
        `Cannot remove image ${nameOf(image)}: in use by ${users.join(", ")}`,
        "Try again when they have ended",
      );
    }
    host.log.info(`Removed image ${nameOf(image)}`);
  }
};
