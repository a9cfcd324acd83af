import { runStage } from "../run_stage.ts";
import { RUN } from "../stage_commands.ts";

await runStage(RUN);
