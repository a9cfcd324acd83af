import { runStage } from "../run_stage.ts";
import { CLEANUP } from "../cleanup_command.ts";

await runStage(CLEANUP);
