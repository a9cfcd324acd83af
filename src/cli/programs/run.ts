import { runStage } from "../run_stage.ts";
import { RUN } from "../run_command.ts";

await runStage(RUN);
