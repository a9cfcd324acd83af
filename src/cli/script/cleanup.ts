import { CLEANUP } from "../stage_commands.ts";
import { runStage } from "../run_stage.ts";

await runStage(CLEANUP);
