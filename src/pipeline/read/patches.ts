/** The pinned version of gitlab-ci-local, and the changes that make it tell what its own output leaves out. */

import { hostFailure } from "../../failure.ts";

/** The file of the package, as the installer stores it. */
export const PACKAGE_FILE = "gitlab-ci-local.txt";

/** SHA-256 of dist/index.js of gitlab-ci-local 4.75.1. */
const PACKAGE_SHA256 = "b01991da3adfc590285c16dcfd666343a0cf9b8da325cf823f70e5aff27fbdf8";

/** A change of the package. Its text is minified, so that each name of a variable belongs to one version. */
interface Patch {
  /** Why it is changed. */
  readonly purpose: string;
  /** Occurs exactly once. */
  readonly from: string;
  readonly to: string;
}

/** `nspawnRunner` is the object of {@linkcode ReaderHooks}. */
const PATCHES: readonly Patch[] = [
  {
    purpose: "return to the caller instead of ending the process",
    from: "await _h(r,new hE,Ah);",
    to: "await nspawnRunner.settle(_h(r,new hE,Ah));",
  },
  {
    purpose: "hand over the pipeline with its data",
    from: "static runJson(e,t){",
    to: "static runJson(e,t){return nspawnRunner.finish(e);",
  },
  {
    purpose: "inherit all keywords of default:",
    from: '["artifacts","cache","services","image","before_script","after_script"]',
    to: '["artifacts","cache","services","image","before_script","after_script",' +
      '"timeout","retry","interruptible","hooks","id_tokens","tags","identity"]',
  },
  {
    purpose: "keep all keys of a cache, and caches of untracked files alone",
    from: "{return{key:e.key,paths:e.paths,policy:",
    to: "{return{...e,key:e.key,paths:e.paths??(e.untracked?[]:void 0),policy:",
  },
  {
    purpose: "keep all keys of an image",
    from: '{name:typeof e==="string"?e:e.name,entrypoint:e.entrypoint,...e.docker?.user',
    to: '{...typeof e==="string"?{name:e}:e,...e.docker?.user',
  },
  {
    purpose: "keep all keys of a service",
    from: 'function Fre(e){return{name:typeof e==="string"?e:e.name,',
    to: 'function Fre(e){return{...typeof e==="string"?{}:e,name:typeof e==="string"?e:e.name,',
  },
  {
    purpose: "tell which rule matched",
    from: 'static getRulesResult(e,t,r="on_success",n=void 0){let i="never",',
    to: 'static getRulesResult(e,t,r="on_success",n=void 0){let nrRule,i="never",',
  },
  {
    purpose: "tell which rule matched",
    from: "c=l.needs?.map((u)=>Xg(u));break}return{when:i,",
    to: "c=l.needs?.map((u)=>Xg(u)),nrRule=l;break}return{rule:nrRule,when:i,",
  },
  {
    purpose: "keep the rule that matched",
    from: "this.when=B.when,this.allowFailure=B.allowFailure,",
    to: "this.nrRule=B.rule,this.when=B.when,this.allowFailure=B.allowFailure,",
  },
  {
    purpose: "tell whether workflow:rules exclude the pipeline",
    from: '"on_success");if(P.variables){',
    to: '"on_success");nspawnRunner.workflow(P.when);if(P.variables){',
  },
  {
    purpose: "check the jobs before anything reads them",
    from: "let y=j6.default({},...m);QR(y),",
    to: "let y=nspawnRunner.check(j6.default({},...m),wn.illegalJobNames);QR(y),",
  },
  {
    purpose: "give each job of a matrix its own data, which its rules change",
    from: "L=qR(O,_);for(let M of L){let K=_;",
    to: "L=qR(O,_),NR=O;for(let M of L){let O=structuredClone(NR),K=_;",
  },
  {
    purpose: "name the jobs of a matrix as GitLab does",
    from: '[${Object.values(M??[]).join(",")}]`;',
    to: '[${Object.values(M??[]).join(", ")}]`;',
  },
  {
    purpose: "name parallel jobs as GitLab does",
    from: "K=`${_}: [${P}/${L.length}]`",
    to: "K=`${_} ${P}/${L.length}`",
  },
  {
    purpose: "know the project by our predefined variables, since the snapshot may have no remote",
    from: "static async init(e,t){let r=new Xo;",
    to: "static async init(e,t){let r=new Xo;return Object.assign(r,nspawnRunner.repository());",
  },
  {
    purpose: "use our predefined variables in rules of the workflow and in includes",
    from: "u=k6({gitData:a,argv:e,envMatchedVariables:l})",
    to: "u=nspawnRunner.predefined()",
  },
  {
    purpose: "use our predefined variables in rules of jobs",
    from: "u=this._predefinedVariables(e);",
    to: "u={...this._predefinedVariables(e),...nspawnRunner.predefined()};",
  },
  {
    purpose: "use our variables of the pipeline",
    from: "get variable(){",
    to: "get variable(){return nspawnRunner.variables();",
  },
  {
    purpose: "let changes: be true where the changed files are not known, as in GitLab",
    from: "static evaluateRuleChanges(e,t,r){if(t===void 0)return!0;",
    to: "static evaluateRuleChanges(e,t,r){if(t===void 0||nspawnRunner.changes()===null)return!0;",
  },
  {
    purpose: "use our list of changed files",
    from: "Xo.changedFiles(`origin/${e}`,r)",
    to: "nspawnRunner.changes()",
  },
  {
    purpose: "allow names of jobs that parallel: made in needs:",
    from: "let o=e.find((l)=>l.baseName===s.job);",
    to: "let o=e.find((l)=>l.baseName===s.job||l.name===s.job);",
  },
  {
    purpose: "allow names of jobs that parallel: made in dependencies:",
    from: "r.dependencies.filter((i)=>!e.some((s)=>s.baseName===i))",
    to: "r.dependencies.filter((i)=>!e.some((s)=>s.baseName===i||s.name===i))",
  },
  {
    purpose: "allow names of jobs that parallel: made in dependencies:",
    from: "let s=e.find((c)=>c.baseName===i);",
    to: "let s=e.find((c)=>c.baseName===i||c.name===i);",
  },
  {
    purpose: "check the stages of dependencies:",
    from: "Hr(o<=a,j`dependencies: [",
    to: "nspawnRunner.dependency(r,s.name,o-a);Hr(o<=a,j`dependencies: [",
  },
  {
    purpose: "read no instructions in comments, which GitLab does not read either",
    from: "if(r)for(let m of o){if(/^\\s*#/.test(m)){",
    to: "if(!1)for(let m of o){if(/^\\s*#/.test(m)){",
  },
  {
    purpose: "warn of keys that occur twice",
    from:
      "n?.stderr(j`{black.bgYellowBright  WARN } duplicated mapping key detected! Values will be overwritten!\\n`)",
    to: "nspawnRunner.duplicate(m,e)",
  },
  {
    purpose: "name the file that is no YAML",
    from: "{schema:h,json:!0});else throw m}",
    to: "{schema:h,json:!0});else throw Object.assign(m,{file:e})}",
  },
  {
    purpose: "do not read files of gitlab-ci-local's own",
    from: "`${t}/.gitlab-ci-local.yml`",
    to: '"../none"',
  },
  {
    purpose: "do not read files of gitlab-ci-local's own",
    from: "injectDotenv(e,t){",
    to: "injectDotenv(e,t){return;",
  },
  {
    purpose: "include new files too, and those with any name",
    from: '"git ls-files --deduplicate"',
    to: '"git -c core.quotePath=false ls-files --cached --others --exclude-standard --deduplicate"',
  },
  {
    purpose: "tell what the schema of GitLab refuses",
    from: ".filter((c)=>!r.ignoreSchemaPaths.includes(c.schemaPath)),a",
    to: ".filter((c)=>!r.ignoreSchemaPaths.includes(c.schemaPath)),nr=nspawnRunner.schema(o),a",
  },
  {
    purpose: "follow only: and except:",
    from: "this.rules=t.rules||null,",
    to: "this.rules=nspawnRunner.onlyRules(this.baseName,t)||t.rules||null,",
  },
  {
    purpose: "remember which variables are not to be expanded",
    from: 'return String(e.value).replaceAll("$",()=>"$$");',
    to: "return nspawnRunner.raw(String(e.value));",
  },
  {
    purpose: "compare variables that are not to be expanded as they are",
    from: "static evaluateRuleIf(e,t){if(e===void 0)return!0;",
    to: "static evaluateRuleIf(e,t){if(e===void 0)return!0;t=nspawnRunner.compared(t);",
  },
  {
    purpose: "name a rule that cannot be evaluated",
    from: "delete globalThis.RE2JS}catch{",
    to: "delete globalThis.RE2JS}catch{nspawnRunner.wrongRule(e);",
  },
  {
    purpose: "warn of functions that are not applied",
    from: 'configFilePath:r}=e;if(t!="")e.writeStreams',
    to: 'configFilePath:r}=e;if(t!="")nspawnRunner.noFunctions(t,r),e.writeStreams',
  },
  {
    purpose: "leave child pipelines alone",
    from: "static normalizeTriggerInclude(e,t){",
    to: "static normalizeTriggerInclude(e,t){return;",
  },
  {
    purpose: "fetch files only where the user allows it",
    from: "static async downloadIncludeRemote(e,t,r,n,i){",
    to: "static async downloadIncludeRemote(e,t,r,n,i,nrHash){nspawnRunner.fetch(r);",
  },
  {
    purpose: "pass the integrity of a file",
    from: "u.push(this.downloadIncludeRemote(f,p,S.remote,d,m))",
    to: "u.push(this.downloadIncludeRemote(f,p,S.remote,d,m,S.integrity))",
  },
  {
    purpose: "check the integrity of a file also where it is fetched already",
    from: "if(await Ar.default.pathExists(o)&&!n)return;let a=process.hrtime(),c=await Ey",
    to: "if(await Ar.default.pathExists(o)&&!n&&!nrHash)return;let a=process.hrtime(),c=await Ey",
  },
  {
    purpose: "fetch versions of components only where the user allows it",
    from: "static getGitRemoteInfo(e,...t){",
    to: "static getGitRemoteInfo(e,...t){nspawnRunner.fetch(`${e.domain}/${e.projectPath}`);",
  },
  {
    purpose: "say in one line why versions cannot be fetched",
    from: "this.gitRemoteInfoCache[n]=I.syncSpawn(r).stdout;",
    to:
      "try{this.gitRemoteInfoCache[n]=I.syncSpawn(r).stdout}catch(x){throw nspawnRunner.notFetched(`${e.domain}/${e.projectPath}`,x)}",
  },
  {
    purpose: "say in one line why a file cannot be fetched",
    from: "throw new zu({message:`Remote include could not be fetched ",
    to: "throw nspawnRunner.notFetched(r,o)||new zu({message:`Remote include could not be fetched ",
  },
  {
    purpose: "say in one line why a file cannot be fetched",
    from: "throw new zu({message:`Project include could not be fetched ",
    to:
      "throw nspawnRunner.notFetched(`${t}: ${n}`,f)||new zu({message:`Project include could not be fetched ",
  },
  {
    purpose: "say in one line why a file cannot be fetched",
    from: "throw new zu({message:`Component include could not be fetched ",
    to:
      "throw nspawnRunner.notFetched(`${t}: ${n}`,f)||new zu({message:`Component include could not be fetched ",
  },
  {
    purpose: "fetch files by a program, since ours may open no connection",
    from: 'await Ey.get(r,{headers:{"User-Agent":"gitlab-ci-local"},...I.getAxiosProxyConfig()})',
    to: "{data:await nspawnRunner.download(r,nrHash)}",
  },
  {
    purpose: "fetch files only where the user allows it",
    from: "static async downloadIncludeProjectFile(e,t,r,n){",
    to: "static async downloadIncludeProjectFile(e,t,r,n){nspawnRunner.fetch(`${t}: ${n}`);",
  },
  {
    purpose: "fetch files only where the user allows it",
    from: "static async downloadIncludeComponent(e,t,r,n){",
    to: "static async downloadIncludeComponent(e,t,r,n){nspawnRunner.fetch(`${t}: ${n}`);",
  },
];

/**
 * Returns the text of the package with all patches.
 *
 * @param text The package as it was published.
 * @throws {Failure} `host` where it is not the pinned version.
 */
export async function patchPackage(text: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(text)));
  const actual = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (actual !== PACKAGE_SHA256) {
    throw hostFailure(
      `Cannot use ${PACKAGE_FILE}: its SHA-256 is ${actual} instead of ${PACKAGE_SHA256}`,
      "Install nspawn-runner again",
    );
  }
  return PATCHES.reduce(applyPatch, new TextDecoder().decode(text));
}

function applyPatch(text: string, { purpose, from, to }: Patch): string {
  const [before, after, ...others] = text.split(from);
  if (after === undefined || others.length > 0) {
    throw hostFailure(
      `Cannot use ${PACKAGE_FILE}: the text to change is not in it once, to ${purpose}`,
      "Install nspawn-runner again",
    );
  }
  return before + to + after;
}
