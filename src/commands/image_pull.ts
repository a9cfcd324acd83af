import type { CommandRun } from "../app/command.ts";
import { interruptible } from "../app/interrupt.ts";
import { requestImage } from "../images/request/image_request.ts";
import { pullHint } from "../images/request/permission.ts";
import { obtainImage } from "../images/store/obtain.ts";
import { refused } from "../failure.ts";
import { refuseUnmounted } from "../machines/record/refuse_unmounted.ts";
import { refuseOtherHost } from "../machines/record/store_owner.ts";

/** Pulls an image. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const config = await load();
  const image = invocation.positionals["image"] ?? "";
  await refuseUnmounted(host, config.store);
  await refuseOtherHost(host, config.store);
  const request = await requestImage(host, config, null, image);
  if (request === null) {
    throw refused(
      `Cannot pull image ${JSON.stringify(image)}: no pattern of pull allows it`,
      pullHint(config, image),
    );
  }
  const { digest } = await interruptible(
    host,
    (interrupt) => obtainImage(host, config, { ...request, policies: ["always"] }, interrupt),
  );
  host.terminal.out(`${digest}\n`);
};
