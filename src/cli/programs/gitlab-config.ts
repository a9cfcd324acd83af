import { runStage } from "../run_stage.ts";
import { GITLAB_CONFIG } from "../gitlab_config_command.ts";

await runStage(GITLAB_CONFIG);
