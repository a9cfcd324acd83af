/** Commands that run jobs, show them and tell of them. */

import type { CommandSpec, OptionSpec } from "../app/command.ts";

const since = (standard: string): OptionSpec => ({
  name: "since",
  value: "AGE",
  help: `Only jobs that ended within this time, such as 12h or 7d; default: ${standard}`,
});

/** In the order in which help lists them. */
export const JOB_COMMANDS: readonly CommandSpec[] = [
  {
    name: "simulate",
    summary: "Play GitLab Runner for one job",
    description:
      "Calls config, prepare, every run stage and cleanup as GitLab Runner does, and exits with the job's code. Without a script and a command, runs a sample job.",
    example: "nspawn-runner simulate --image bookworm -- make test",
    positionals: [{ name: "script", help: "A script on this host", required: false }],
    options: [
      { name: "image", value: "NAME", help: "The job's image" },
      {
        name: "variable",
        value: "NAME=VALUE",
        repeats: true,
        help: "A variable of the job; may be given more than once",
      },
      {
        name: "service",
        value: "IMAGE[=ALIAS]",
        repeats: true,
        help: "A service of the job; may be given more than once",
      },
    ],
    rest: "COMMAND",
    needsRoot: true,
    runsScript: true,
    load: () => import("../commands/simulate.ts"),
  },
  {
    name: "pipeline",
    summary: "Run the pipeline of a working copy, without GitLab",
    description:
      "Reads .gitlab-ci.yml of the working copy in this folder, and runs its jobs in machines as under GitLab, with the files as they are, committed or not. Named jobs run with those that they need, also manual ones. " +
      "Exits with 0 if the pipeline passed, else with the code of the job that failed first.",
    example: "nspawn-runner pipeline --list",
    positionals: [{
      name: "job",
      help: "Jobs; default: all but manual ones",
      required: false,
      repeats: true,
    }],
    options: [
      {
        name: "file",
        value: "PATH",
        help: "The file in the working copy; default: .gitlab-ci.yml",
      },
      {
        name: "variable",
        value: "NAME=VALUE",
        help: "Set a variable; may be repeated",
        repeats: true,
      },
      {
        name: "variables-file",
        value: "FILE",
        help: "Set variables from a file of lines NAME=VALUE; their values are not shown",
      },
      { name: "commit", value: "REF", help: "Run this commit instead of the working copy" },
      { name: "fetch", help: "Allow include: to fetch files of other projects and servers" },
      { name: "jobs", value: "N", help: "Run this many jobs at once; default: one per processor" },
      {
        name: "logs",
        value: "DIR",
        help: "Write the output of each job to a file in a new folder",
      },
      { name: "keep", help: "Keep what failed jobs wrote for a day, for `shell`" },
      { name: "list", help: "Only list the jobs" },
      { name: "dry-run", help: "Only print the commands of the jobs" },
      { name: "json", help: "Print JSON to stdout, and the output of jobs to stderr" },
    ],
    needsRoot: true,
    runsScript: true,
    load: () => import("../commands/pipeline.ts"),
  },
  {
    name: "list",
    summary: "List the machines of jobs",
    description:
      "Prints state, age and memory of each machine, with the id for `shell` and `cleanup --id`; without headings if stdout is not a terminal. Machines of services follow that of their job, with the id JOB/ALIAS.",
    example: "nspawn-runner list --json",
    positionals: [],
    options: [{ name: "json", help: "Print JSON" }],
    needsRoot: true,
    load: () => import("../commands/list.ts"),
  },
  {
    name: "explain",
    summary: "Explain a job that runs or has ended",
    description:
      "Prints what the job was, how long each call and each part of its prepare took (as bars on a terminal), what it used of its limits, how it ended and why, and which setting would have helped. Of a job with several attempts the last one is explained.",
    example: "nspawn-runner explain 42",
    positionals: [{
      name: "job",
      help: "The job's id, or the id that `list` shows",
      required: true,
    }],
    options: [{
      name: "json",
      help: "Print the record as JSON, with the state of a job that runs",
    }],
    needsRoot: true,
    load: () => import("../commands/explain.ts"),
  },
  {
    name: "history",
    summary: "List jobs that have ended",
    description:
      "Prints when and how each job ended, how long it and its prepare took, and what it used; the last one first, and without headings if stdout is not a terminal. A job whose prepare GitLab Runner repeated has a line for each attempt. history_max_age and history_max_size in the configuration are how much is kept.",
    example: "nspawn-runner history --failed --since 2d",
    positionals: [],
    options: [
      { name: "project", value: "PATH", help: "Only jobs of this project, or of this group" },
      { name: "failed", help: "Only jobs that did not succeed" },
      since("1d"),
      { name: "json", help: "Print the whole records as JSON" },
    ],
    needsRoot: true,
    load: () => import("../commands/history.ts"),
  },
  {
    name: "report",
    summary: "Report on jobs that have ended",
    description:
      "Prints how jobs ended and why the host failed some, by day, image and project: times of prepare, stages and cleanup (median and 95th percentile), CPU, memory and files, the parts of prepare, and how often images were pulled. With --html, writes one page with plots that needs no network; a new file can be read by root alone.",
    example: "nspawn-runner report --since 30d --html report.html",
    positionals: [],
    options: [
      since("7d"),
      { name: "html", value: "FILE", help: "Write a page of HTML instead; replaces the file" },
    ],
    needsRoot: true,
    load: () => import("../commands/report.ts"),
  },
  {
    name: "top",
    summary: "Show what the machines of jobs use now",
    description:
      "Prints CPU, memory, tasks and bytes written to disk of each machine, the busiest one first. On a terminal the table is renewed every two seconds until a key is pressed; the CPU is then that of these seconds, in percent of one processor, and otherwise the time since the start.",
    example: "nspawn-runner top",
    positionals: [],
    options: [{ name: "json", help: "Print JSON, once" }],
    needsRoot: true,
    load: () => import("../commands/top.ts"),
  },
  {
    name: "metrics",
    summary: "Print metrics for Prometheus",
    description:
      "Prints counters of all jobs that ended, and gauges of machines, pools of ids and networks, disk, caches, images, chroots and timers. The counters survive the removal of old records. With --output, replaces the file in one step, for the textfile collector of node_exporter.",
    example: "nspawn-runner metrics",
    positionals: [],
    options: [{ name: "output", value: "FILE", help: "Write to this file instead of stdout" }],
    needsRoot: true,
    load: () => import("../commands/metrics.ts"),
  },
  {
    name: "shell",
    summary: "Open a shell in the machine of a job",
    description:
      "While the job runs, opens the shell beside its script, in the folder of the project. After the job has failed, opens it on the files that the job wrote, if keep_failed in the configuration keeps them.",
    example: "nspawn-runner shell 42",
    positionals: [{
      name: "id",
      help: "The job's id, or the id that `list` shows; ID/ALIAS for a service of the job",
      required: true,
    }],
    options: [{
      name: "done",
      help: "Instead, remove the files that are kept of a failed job and its services",
    }],
    needsRoot: true,
    runsScript: true,
    load: () => import("../commands/shell.ts"),
  },
];
