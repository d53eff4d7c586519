// What ao-lsp says to clients. Made by scripts/make-protocol from the types; docs/protocol.md explains it.

/** The version of the protocol that these types are of. */
export const VERSION = 1;

/** Their revision: what has been added to the version. */
export const REVISION = 2;

/** Both bodies byte for byte (base64), without their content encoding where that can be undone. */
export interface Bodies {
  request: string | null;
  response: string | null;
}

/** Of each run. */
export interface BothTotals {
  a: Totals;
  b: Totals;
}

/** Parameters of `ao.call`. */
export interface CallParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** also give both bodies as they were, base64 */
  raw?: boolean;
  /** show it in the editor, too; elsewhere: write it to a read-only file */
  open?: boolean;
}

/** Parameters of `ao/call`. */
export interface CallRequestParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** also give both bodies as they were, base64 */
  raw?: boolean;
}

/** How a call stands. */
export interface CallState {
  id: string;
  status: "running" | "ok" | "error" | "cancelled";
}

/** One committed change. */
export interface Change {
  session: string;
  /** dense within its session, and never used again */
  seq: number;
  at: string;
  /** see [wire.md](wire.md#changes-eventssubscribe) */
  kind: string;
  /** the run that it happened in: it may be a subrun */
  run: string;
  /** null: it is about a run */
  call: string | null;
}

/** What was written. */
export interface Checkout {
  version: string;
  /** the run that it was named by */
  run: string | null;
  folder: string;
  /** how many */
  files: number;
}

/** Parameters of `ao.checkout`. */
export interface CheckoutParams {
  /** a version or the beginning of one, or which run: its id, the beginning of it, a name, or `last` */
  version: string;
  /** where to write the files: the absolute path of a folder that is new or empty */
  folder: string;
  /** also into a folder that is not empty: files of the same names are replaced */
  force?: boolean;
}

/** Parameters of `ao.chooseCall`. */
export interface ChooseCallParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
}

/** The call that the user chose, and did something with. */
export interface Chosen {
  run: string;
  call: string;
}

/** What was deleted. */
export interface Cleared {
  /** runs */
  deleted: number;
  /** runs that are still running */
  kept: number;
  freed_bytes: number;
}

/** What a client says in `capabilities.experimental.ao`, or in `initializationOptions.ao`. */
export interface Client {
  /** the newest version of this protocol that it knows */
  version?: number;
  /** the oldest one; 1 where it is missing */
  min_version?: number;
  /** in place of both: each version that it knows */
  versions?: number[];
  /** texts are opened under their addresses (`ao:///…`), and asked for by `ao/content` */
  content?: boolean;
}

/** Files that one version has otherwise than another. */
export interface CodeChanges {
  added: string[];
  changed: string[];
  removed: string[];
}

/** What changed in the code. */
export interface CodeDiff {
  a: Side;
  b: Side;
  identical: boolean;
  files: FileDiff[];
}

/** A file of a version. */
export interface CodeFile {
  file: string;
  executable: boolean;
  link: boolean;
}

/** The files of a version. */
export interface CodeFiles {
  version: string;
  /** the run that it was named by */
  run: string | null;
  files: CodeFile[];
}

/** A file as it was. */
export interface CodeText extends CodeFile {
  version: string;
  /** the run that it was named by */
  run: string | null;
  bytes: number;
  /** null of what is no UTF-8 */
  text: string | null;
  /** of a link: where it leads */
  base64: string;
}

/** How a program is recorded. Nothing is started: a program wants a terminal, which is the client's. */
export interface CommandLine {
  /** a line for a shell */
  command: string;
  argv: string[];
  /** where to run it */
  cwd: string;
}

/** A client of the daemon. */
export interface Connected {
  /** `record`, `cli`, `web` or `lsp`; null: it has not said yet */
  role: string | null;
  pid: number;
  since: string;
  /** of a program: its run */
  run: string | null;
  /** the name of its run, the editor's name, or the method that is being answered */
  doing: string | null;
  /** what it has sent that has had no effect yet */
  in: Waiting;
  /** what it has been sent and has not read */
  out: Waiting;
}

/** A text to read. */
export interface Content {
  uri: string;
  /** as LSP names languages */
  language: string;
  text: string;
  /** it may change yet */
  live: boolean;
  /** its run was deleted; the text says so */
  gone: boolean;
}

/** A text that the client has asked for has changed. It is told again only when it has asked again. */
export interface ContentDidChange {
  uri: string;
}

/** Parameters of `ao.content`. */
export interface ContentParams {
  /** the address of a text: `ao:///…` */
  uri: string;
}

/** The pairs of calls by verdict. */
export interface Counts {
  same: number;
  changed: number;
  added: number;
  removed: number;
}

/** Parameters of `daemon.clear`. */
export type DaemonClearParams = Record<string, never>;

/** Parameters of `daemon.status`. */
export type DaemonStatusParams = Record<string, never>;

/** Parameters of `daemon.stop`. */
export type DaemonStopParams = Record<string, never>;

/** Where recordings are. */
export interface Database {
  path: string;
  bytes: number;
  /** what became of it when it was damaged; null: it never was */
  damage: unknown;
}

/** What was deleted. */
export interface Deleted {
  /** ids of runs */
  deleted: string[];
  freed_bytes: number;
}

/** Parameters of `$/ao/didShow`. */
export interface DidShowParams {
  /** the runs whose graphs can be seen, by their ids; null: any */
  runs?: string[] | null;
}

/** What changed from one run to another. */
export interface Diff {
  a: Run;
  b: Run;
  /** nothing changed, and both ended alike */
  identical: boolean;
  counts: Counts;
  totals: BothTotals;
  /** in the order of `b` */
  calls: Pair[];
}

/** Parameters of `ao.diffCode`. */
export interface DiffCodeParams {
  /** a version or the beginning of one, or which run: its id, the beginning of it, a name, or `last` */
  a: string;
  /** the same; null: the files as they are now */
  b?: string | null;
}

/** Parameters of `ao.diff`. */
export interface DiffParams {
  /** which run: its id, the beginning of it, a name, or `last` */
  a: string;
  /** which run: its id, the beginning of it, a name, or `last` */
  b?: string;
}

/** A graph for people to look at. */
export interface Drawing {
  run: string;
  format: "text" | "mermaid" | "dot" | "svg";
  text: string;
  /** format `text`: the run */
  details?: GraphRun;
  /** format `text`: all of them, in order of start */
  subruns?: Run[];
  /** format `text`: whose lines they are */
  rows?: Row[];
}

/** A drawing, and how new it is. */
export interface DrawingRevision extends Drawing {
  revision: number;
}

/** Part of the output of one call reached the input of another. */
export interface Edge {
  /** the id of a call */
  source: string;
  /** the id of a call */
  target: string;
  /** the value was followed, or its text was found again */
  evidence: "tracked" | "matched";
  /** the lines that it went through; of a matched edge none */
  path: Step[];
}

/** An edit that counts. */
export interface Edit {
  call: string;
  field: "output" | "input";
  created: string;
  /** how often that field was edited */
  version: number;
  /** what the user wrote */
  content: string;
}

/** A file in which a call is edited. */
export interface EditFile extends Edited {
  path: string;
  /** what is in it */
  content: string;
  /** what was recorded; saving that takes the edit back */
  recorded: string;
}

/** Parameters of `ao.editInput`. */
export interface EditInputParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** several calls by their ids: an editor asks its user which of them is meant */
  among?: string[] | null;
  /** any call that was made at the same place is meant: an editor asks its user which */
  here?: boolean;
}

/** Parameters of `ao.editOutput`. */
export interface EditOutputParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** several calls by their ids: an editor asks its user which of them is meant */
  among?: string[] | null;
  /** any call that was made at the same place is meant: an editor asks its user which */
  here?: boolean;
}

/** Parameters of `ao.edit`. */
export interface EditParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** output: the new text, or a whole response as JSON; input: the user's new text, new messages or a whole request as JSON */
  content: string;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** what the program receives, or what it sends */
  field?: "output" | "input";
}

/** The call that was edited. */
export interface Edited {
  /** the run that the call belongs to */
  run: string;
  call: string;
  number: number;
  field: "output" | "input";
}

/** A rerun that has ended. */
export interface EndedRerun extends Rerun {
  /** that of the program; negative: the signal that ended it */
  exit_code: number;
}

/** Why something cannot be done. */
export interface ErrorData {
  /** one of the codes of [commands.md](commands.md), or a newer one */
  code: string;
  /** for the user */
  message: string;
  /** what helps, for the user; may be empty */
  hint: string;
}

/** What a rerun will use. */
export interface Estimate {
  /** a sentence for people */
  summary: string;
  /** the calls that go live for certain */
  live: Use;
  /** with the affected ones */
  most: Use;
}

/** What was committed after a number. */
export interface Events {
  session: string;
  /** what to ask after next */
  seq: number;
  /** in order, each once */
  changes?: Change[];
  /** the changes after that number are not all there any more: start from this */
  snapshot?: Snapshot;
}

/** Parameters of `ao/events`. */
export interface EventsParams {
  /** all changes of this run: its id, the beginning of it, a name, or `last` */
  run?: string | null;
  /** all changes of this session */
  session?: string | null;
  /** only changes numbered higher than this */
  after?: number;
}

/** A run as a file. */
export interface Export {
  run: string;
  format: "json" | "html" | "otlp";
  /** the file ([export.md](export.md)) */
  text: string;
}

/** Parameters of `ao.export`. */
export interface ExportParams {
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** one JSON document, one page, or an OpenTelemetry trace */
  format?: "json" | "html" | "otlp";
}

/** Why a run or a call failed. */
export interface Failure {
  /** the name of the error's class */
  type: string;
  message: string;
  /** where it was raised, if a traceback told */
  file: string | null;
  line: number | null;
}

/** What the server makes of the client's capabilities: what it will use where commands need it. */
export interface Features {
  /** hovers are Markdown */
  markdown: boolean;
  /** files are opened; else their paths are told */
  show_document: boolean;
  /** reruns are shown as work that goes on, and can be cancelled */
  progress: boolean;
  /** it is told when lenses are out of date */
  lens_refresh: boolean;
  /** it is told when hints are out of date */
  hint_refresh: boolean;
}

/** A file that is not the same. */
export interface FileDiff {
  file: string;
  status: "added" | "changed" | "removed";
  /** in the unified format; null of files of more than 20,000 lines */
  diff: string | null;
}

/** What a rerun would do with each call. */
export interface Forecast {
  parent_run: string;
  fork_call: string | null;
  /** what to know before */
  notes: string[];
  counts: PlanCounts;
  estimate: Estimate;
  calls: PlannedCall[];
}

/** A run that says what was looked for. */
export interface FoundRun extends Summary {
  /** how many they are, those of subruns included */
  matching_calls: number;
  /** the first of them, in order, up to 20 lines */
  matches: Match[];
}

/** Runs that say what was looked for. */
export interface FoundRuns {
  runs: FoundRun[];
  /** so many do */
  total: number;
  /** false: not every call could be looked at in time */
  complete: boolean;
}

/** A run with its calls and the edges between them. */
export interface Graph {
  run: GraphRun;
  /** all of them, in order of start */
  subruns: Run[];
  /** the calls in order of start, those of subruns too */
  nodes: Node[];
  edges: Edge[];
  /** edges from calls that are not in this run */
  outside: Outside[];
}

/** A run has changed; ask for its graph if it is shown. */
export interface GraphDidChange {
  run: string;
  /** counts the changes of a session, upwards */
  revision: number;
}

/** Parameters of `ao.graph`. */
export interface GraphParams {
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** only edges that were tracked, or also those matched by text */
  evidence?: "tracked" | "all";
  /** json: run, nodes, edges; else a drawing */
  format?: "json" | "text" | "mermaid" | "dot" | "svg";
  /** draw each call of subruns, not one node for each subrun (json has each call) */
  subruns?: boolean;
  /** draw each call of these subruns (ids; format text) */
  unfolded?: string[] | null;
  /** with terminal colours (format text) */
  color?: boolean;
  /** columns of the terminal (format text) */
  width?: number | null;
  /** show it in the editor, too; elsewhere: write it to a read-only file */
  open?: boolean;
}

/** Parameters of `ao/graph`. */
export interface GraphRequestParams {
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** only edges that were tracked, or also those matched by text */
  evidence?: "tracked" | "all";
  /** json: run, nodes, edges; else a drawing */
  format?: "json" | "text" | "mermaid" | "dot" | "svg";
  /** draw each call of subruns, not one node for each subrun (json has each call) */
  subruns?: boolean;
  /** draw each call of these subruns (ids; format text) */
  unfolded?: string[] | null;
  /** with terminal colours (format text) */
  color?: boolean;
  /** columns of the terminal (format text) */
  width?: number | null;
}

/** A graph, and how new it is. */
export interface GraphRevision extends Graph {
  /** as high as that of the last notification: it is up to date */
  revision: number;
}

/** The run of a graph, with the cost of all its calls. */
export interface GraphRun extends Run {
  /** what is known; null where nothing is. See [Cost](commands.md#cost) */
  cost_usd: number | null;
  /** the calls that are missing in it */
  unknown_costs: number;
}

/** A line that a value went through, with what stands there. */
export interface Hop extends Step {
  /** by indentation; null outside of functions, and where `text` is */
  function: string | null;
  /** null: the file is gone, or was written after the run began */
  text: string | null;
}

/** What was sent, without secrets. */
export interface HttpRequest {
  method: string;
  url: string;
  /** pairs of name and value */
  headers: string[][];
  /** JSON where it is JSON, a form by its fields, else text; null: its encoding cannot be undone */
  body: unknown;
}

/** What was received. */
export interface HttpResponse {
  /** of HTTP */
  status: number | null;
  /** pairs of name and value */
  headers: string[][];
  /** as of a request; a stream is put together */
  body: unknown;
}

/** Events that are read and not committed. */
export interface IngestQueue {
  events: number;
  bytes: number;
}

/** Where versions of code are. */
export interface KeptVersions {
  path: string;
  bytes: number;
}

/** A version with the runs that had it. */
export interface ListedVersion {
  version: string;
  /** where it stands in the private history; changes when older ones are forgotten */
  commit: string;
  /** the path of a folder */
  project: string;
  /** when it was last new */
  at: string;
  files: number;
  /** the version before it; null: it is the project's first */
  before: string | null;
  /** a few words for people */
  summary: string;
  /** from the version before it */
  changes: CodeChanges | null;
  /** file → why it is not in it */
  left_out: Record<string, string>;
  /** newest first */
  runs: string[];
}

/** Parameters of `ao/locate`. */
export interface LocateParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
}

/** Where a call stands now. Where it is not there any more: where it was recorded. */
export interface Location {
  uri: string;
  line: number;
  end_line: number;
  /** it is on another line than when it was recorded */
  moved: boolean;
  found: boolean;
}

/** A line that says what was looked for. */
export interface Match {
  call: string;
  run: string;
  /** of the call in the listed run */
  number: number;
  part: "prompt" | "output";
  /** one line */
  text: string;
  /** `text[start:end]` (code points) is what was looked for */
  start: number;
  end: number;
}

/** Runs whose texts are compared. */
export interface MatchingQueue {
  running: number;
  waiting: number;
}

/** A message of a prompt. Images, sound and files are named by their kind, as `[image_url]`. */
export interface Message {
  role: string;
  text: string;
  tool_calls: ToolCall[];
}

/** A message that is not the same in two runs; tool calls as `name(arguments)`. */
export interface MessageChange {
  role: string;
  /** null: it came */
  a: string | null;
  /** null: it went */
  b: string | null;
}

/** Where a message stands in the input as one text. */
export interface MessagePlace {
  role: string;
  start: number;
  end: number;
}

/** A call as a node of a graph. */
export interface Node {
  id: string;
  /** the run that it belongs to: it may be a subrun */
  run: string;
  /** what that is called here, `outer / inner`; null: it is the run itself */
  subrun: string | null;
  /** its place in the run, from 1, in order of start */
  number: number;
  /** `llm`, `embedding`, `mcp`, `tool` or `http` */
  kind: string;
  /** known by the host, else by the shape of the API (`openai-compatible`) */
  provider: string | null;
  /** as it was asked for; of `mcp` and `tool` the tool, of `http` the method and the host */
  model: string | null;
  /** the path of the request's URL; of `mcp` and `tool` see [wire.md](wire.md) */
  endpoint: string;
  status: "running" | "ok" | "error" | "cancelled";
  /** sent, served from a recording, or served from an edit */
  origin: "live" | "replayed" | "edited";
  /** where it was made; null: in none of the user's files */
  file: string | null;
  line: number | null;
  end_line: number | null;
  function: string | null;
  input_tokens: number | null;
  output_tokens: number | null;
  /** read from a cache; among the input tokens */
  cached_tokens: number | null;
  /** among the output tokens */
  reasoning_tokens: number | null;
  /** see [Cost](commands.md#cost) */
  cost_usd: number | null;
  /** null: it goes on */
  duration_s: number | null;
  streamed: boolean;
  thread: string | null;
  /** the name of the asyncio task */
  task: string | null;
}

/** The user chose nothing. */
export type Nothing = Record<string, never>;

/** An edge, seen from one of its ends. */
export interface NumberedEdge extends Edge {
  /** of the call at the other end */
  number: number;
}

/** Why a rerun cannot be started. */
export interface Obstacle {
  message: string;
  hint: string;
}

/** Parameters of `ao.openCode`. */
export interface OpenCodeParams {
  /** a version or the beginning of one, or which run: its id, the beginning of it, a name, or `last` */
  version: string;
  /** which file, as it is called in the project, or its path */
  file: string;
  /** the line to show, from 1 */
  line?: number | null;
}

/** Parameters of `ao.openDiff`. */
export interface OpenDiffParams {
  /** the run to compare with; null: the one that `b` is a rerun of */
  a?: string | null;
  /** which run: its id, the beginning of it, a name, or `last` */
  b?: string;
}

/** Parameters of `ao.openLog`. */
export interface OpenLogParams {
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
}

/** Parameters of `ao.openOutput`. */
export interface OpenOutputParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** several calls by their ids: an editor asks its user which of them is meant */
  among?: string[] | null;
  /** any call that was made at the same place is meant: an editor asks its user which */
  here?: boolean;
  /** text: what was said; json: the whole request or response */
  format?: "text" | "json";
}

/** Parameters of `ao.openPrompt`. */
export interface OpenPromptParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** several calls by their ids: an editor asks its user which of them is meant */
  among?: string[] | null;
  /** any call that was made at the same place is meant: an editor asks its user which */
  here?: boolean;
  /** text: what was said; json: the whole request or response */
  format?: "text" | "json";
}

/** A text that is shown. */
export interface Opened {
  /** its address, `ao:///…` */
  uri: string;
  /** as LSP names languages */
  language: string;
  /** of a read-only file, where its address cannot be opened */
  path?: string;
}

/** A call that is shown. */
export interface OpenedCall extends WholeCall, Opened {
}

/** A drawing that is shown. */
export interface OpenedDrawing extends Drawing, Opened {
}

/** A file in which a call is edited. */
export interface OpenedEdit {
  path: string;
}

/** A graph that is shown, as text. */
export interface OpenedGraph extends Graph, Opened {
}

/** A call that is shown, and its bodies. */
export interface OpenedRawCall extends RawCall, Opened {
}

/** `initializationOptions.ao`. */
export interface Options extends Client {
  /** for clients that cannot tell settings otherwise */
  settings?: Settings | null;
}

/** Which calls the values of variables came from. What the recording leaves a doubt of is not among them. */
export interface Origins {
  run: string;
  file: string;
  /** in the order of the source */
  variables: Variable[];
}

/** Parameters of `ao.origins`. */
export interface OriginsParams {
  /** a source file: its path, or the one from the folder in which the program was started */
  file: string;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** only what is on this line, from 1; null: all that is given a value */
  line?: number | null;
  /** only variables of this name */
  name?: string | null;
}

/** What a call gave. */
export interface Output {
  text: string | null;
  /** what the API shows of the model's thoughts */
  reasoning: string | null;
  tool_calls: ToolCall[];
  finish_reason: string | null;
  /** the model that answered, by its own word */
  model: string | null;
  usage: Usage;
}

/** Parameters of `ao.output`. */
export interface OutputParams {
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** from this byte on: 0, or `next` of the last answer */
  from?: number;
  /** at most so many bytes */
  limit?: number;
}

/** An edge from a call that is not in the run: of the runs around it, or of earlier runs of the session, through files that these left behind. */
export interface Outside extends Edge {
  /** that of the source */
  run: string;
  /** of the source in its run */
  number: number;
  function: string | null;
  /** where the source was made */
  file: string | null;
  line: number | null;
}

/** A call of each run; null where the other has no counterpart. */
export interface Pair {
  /** whether the program received the same */
  verdict: "same" | "changed" | "added" | "removed";
  input_changed: boolean;
  /** what differs; empty where one is missing */
  changes: ("input" | "model" | "parameters" | "output" | "status")[];
  a: Node | null;
  b: Node | null;
  /** of the input */
  messages: MessageChange[];
  /** everything else in the request that is not the same */
  parameters: Record<string, ValueChange>;
  /** null where it is the same */
  output: TextChange | null;
}

/** A passage of an input: code points, `end` is the one behind it. */
export interface Passage {
  start: number;
  end: number;
  text: string;
}

/** One of the calls that were made at a place. */
export interface PlaceCall {
  run: string;
  call: string;
  /** in the run */
  number: number;
  /** the function that made it */
  name: string;
}

/** The calls that one function made, in the runs that came to it. */
export interface PlaceCalls {
  /** those of the newest run first; of one run in order */
  calls: PlaceCall[];
}

/** What is needed to start a rerun. */
export interface Plan extends Forecast {
  /** the id that it will have */
  run: string;
  /** the path of a file, for `AO_PLAN` */
  plan: string;
  argv: string[];
  cwd: string;
  python: string;
  /** variables to set over those of whoever starts it */
  env: Record<string, string>;
  /** null: it can be started */
  obstacle: Obstacle | null;
}

/** How many calls take which way. */
export interface PlanCounts {
  calls: number;
  replayed: number;
  edited: number;
  live: number;
  /** among the replayed */
  affected: number;
  /** tools that run again */
  run: number;
}

/** Parameters of `ao.plan`. */
export interface PlanParams {
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** rerun from this call: it and everything that depends on it go live */
  from?: string | number | null;
  /** what to do with a call that has no recording; null: what `on_miss` is set to, else live */
  policy?: "live" | "strict" | "ask" | null;
  /** only say what would happen */
  dry_run?: boolean;
  /** the interpreter to use in place of the recorded one */
  python?: string | null;
  /** run the code that the run had, in a scratch folder, not the code of now */
  at_version?: boolean;
}

/** What happens to a call. */
export interface PlannedCall {
  call: string;
  number: number;
  /** serve the recording, serve the edited output, send the edited input, send it, run the tool */
  action: "replay" | "edited" | "input" | "live" | "run";
  /** it replays, unless an edit upstream changes its input: then it goes live */
  affected: boolean;
  model: string | null;
  function: string | null;
  line: number | null;
}

/** What a rerun printed. */
export interface Printed {
  /** the id; of a subrun, that of the run around it */
  run: string;
  /** both outputs as they came; what is no UTF-8 is U+FFFD */
  text: string;
  /** the byte behind it, to go on from */
  next: number;
  /** the run has ended, and this was the last of it */
  ended: boolean;
}

/** What is still to be done. */
export interface Queues {
  ingest: IngestQueue;
  matching: MatchingQueue;
  spool: SpoolQueue;
}

/** A call, whole, and its bodies as they were. */
export interface RawCall extends WholeCall {
  raw: Bodies;
}

/** Parameters of `ao.record`. */
export interface RecordParams {
  /** the path of a program */
  file: string;
  /** what it is given on its command line */
  arguments?: string[] | null;
}

/** A rerun that was started. */
export interface Rerun extends Forecast {
  /** its id */
  run: string;
  pid: number;
  /** the path of the file that gets its output */
  log: string;
}

/** Parameters of `ao.rerunFrom`. */
export interface RerunFromParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** several calls by their ids: an editor asks its user which of them is meant */
  among?: string[] | null;
  /** any call that was made at the same place is meant: an editor asks its user which */
  here?: boolean;
  /** what to do with a call that has no recording; null: what `on_miss` is set to, else live */
  policy?: "live" | "strict" | null;
}

/** Parameters of `ao.rerun`. */
export interface RerunParams {
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** rerun from this call: it and everything that depends on it go live */
  from?: string | number | null;
  /** what to do with a call that has no recording; null: what `on_miss` is set to, else live */
  policy?: "live" | "strict" | null;
  /** answer when the program has ended, with progress until then; cancelled, it is stopped */
  wait?: boolean;
  /** the interpreter to use in place of the recorded one */
  python?: string | null;
  /** run the code that the run had, in a scratch folder, not the code of now */
  at_version?: boolean;
}

/** Parameters of `ao.rm`. */
export interface RmParams {
  /** which runs: their ids, the beginnings of them, names, or `last` */
  runs: string[];
}

/** A line of a drawn graph that shows a call, or a subrun that is folded into one. */
export interface Row {
  /** which line of the text, from 0 */
  row: number;
  /** of a folded subrun: `kind` is `subrun`, `id` its own, `number` that of its first call */
  node: Node;
}

/** One execution of a program, or a part of one that the program has named (a subrun). */
export interface Run {
  id: string;
  name: string;
  status: "running" | "finished" | "failed" | "killed" | "lost";
  /** null: it goes on, was killed, or is a subrun */
  exit_code: number | null;
  /** as the program sees it */
  argv: string[];
  started: string;
  /** null: it goes on */
  duration_s: number | null;
  /** that of its code ([versions.md](versions.md)); null: none was taken */
  version: string | null;
  /** what it is a rerun of */
  parent_run: string | null;
  /** the call that it was rerun from */
  fork_call: string | null;
  /** the run right around it */
  subrun_of: string | null;
  /** what the program gave as its result */
  result: unknown;
  /** what the program said of it */
  notes: string[];
  /** false: it is not certain that just that code ran */
  version_exact: boolean | null;
  /** why it is not */
  version_note: string | null;
}

/** Runs that are recorded. */
export interface RunCounts {
  total: number;
  running: number;
}

/** How a run stands. */
export interface RunState {
  id: string;
  subrun_of: string | null;
  status: "running" | "finished" | "failed" | "killed" | "lost";
  calls: CallState[];
}

/** A program that runs. */
export interface Running {
  run: string;
  name: string;
  /** a rerun of ours */
  background: boolean;
}

/** Recorded runs. */
export interface Runs {
  runs: Summary[];
  /** so many match, subruns not counted */
  total: number;
}

/** Parameters of `ao.runs`. */
export interface RunsParams {
  /** at most so many, subruns not counted */
  limit?: number;
  /** only runs and subruns whose name matches this regular expression */
  name?: string | null;
  /** only the subruns of this run, in order of start */
  within?: string | null;
  /** only runs whose prompts or outputs contain this text, in large letters or small */
  grep?: string | null;
}

/** What the server answers in `capabilities.experimental.ao`. */
export interface Server {
  /** the version that both speak from now on */
  version: number;
  /** that of the server's schema: what was added to the version */
  revision: number;
  /** the requests and notifications that it takes */
  methods: string[];
  /** those that it may send */
  notifications: string[];
  features: Features;
}

/** Settings of an editor ([configuration.md](configuration.md)); null is as good as missing. */
export interface Settings {
  /** the interpreter that programs are recorded with */
  python?: string | null;
  /** what a rerun does with a call without a recording */
  on_miss?: "live" | "strict" | "ask" | null;
  /** show code lenses */
  lenses?: boolean | null;
  /** show inlay hints */
  hints?: boolean | null;
  /** among them, on variables: which calls their values came from */
  variable_hints?: boolean | null;
  /** the diagnostics to show */
  diagnostics?: ("failed-call" | "crash" | "unused-output" | "stale-recording")[] | null;
}

/** Parameters of `ao.show`. */
export interface ShowParams {
  /** a version or the beginning of one, or which run: its id, the beginning of it, a name, or `last` */
  version: string;
  /** which file, as it is called in the project; null: list them */
  file?: string | null;
}

/** A side of a comparison; both are null for the files as they are now. */
export interface Side {
  version: string | null;
  run: string | null;
}

/** An expression in the user's source. Python 3.10 tells its first line only. */
export interface Site {
  file: string;
  line: number;
  end_line: number | null;
  column: number | null;
  end_column: number | null;
  function: string;
}

/** How things stand. */
export interface Snapshot {
  runs: RunState[];
}

/** Files of programs that found no daemon. */
export interface SpoolQueue {
  files: number;
  bytes: number;
}

/** Whether all is well, and what goes on. */
export interface Standing {
  /** `error`: nothing can be stored at the moment; `warning`: the database was damaged and put aside */
  health: "ok" | "warning" | "error";
  /** no program runs, and nothing is compiled */
  quiescent: boolean;
  /** what is wrong and what to do, or what goes on; may be empty */
  message: string;
  /** the first 20 */
  running: Running[];
  /** so many files wait to be made ready */
  compiling: number;
}

/** How the daemon is. */
export interface Status {
  /** `busy` is said by the [vital signs](wire.md#vital-signs) */
  state: "serving" | "retiring" | "busy";
  /** of the package */
  version: string;
  /** version of the wire */
  wire: number;
  pid: number;
  /** its id */
  daemon: string;
  python: string;
  started: string;
  uptime_s: number;
  /** 0: it stays */
  idle_exit_s: number;
  clients: Connected[];
  /** that run in the background */
  reruns: number;
  watching: Watched[];
  queues: Queues;
  runs: RunCounts | null;
  database: Database | null;
  versions: KeptVersions | null;
  memory_bytes: number;
  /** the path */
  socket: string;
  /** the path */
  log: string;
}

/** Parameters of `ao.status`. */
export type StatusParams = Record<string, never>;

/** A line that a value went through. */
export interface Step {
  file: string;
  line: number;
}

/** Parameters of `ao.stop`. */
export interface StopParams {
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
}

/** A program that was ended. */
export interface Stopped {
  run: string;
  /** the one that was named; null: it was no subrun */
  subrun: string | null;
}

/** The daemon that was stopped. */
export interface Stopping {
  pid: number;
}

/** A run with what its calls come to. */
export interface Summary extends Run {
  /** the program and its reruns have one */
  session: string;
  cwd: string;
  error: Failure | null;
  /** those of subruns included, as in all that follows */
  calls: number;
  failed_calls: number;
  /** those that were sent, and not served from a recording */
  live_calls: number;
  edits: number;
  input_tokens: number;
  output_tokens: number;
  /** what is known; null where nothing is. See [Cost](commands.md#cost) */
  cost_usd: number | null;
  /** the calls that are missing in it */
  unknown_costs: number;
}

/** An output that is not the same, the text with the tool calls below it. */
export interface TextChange {
  a: string | null;
  b: string | null;
}

/** A call of a tool that a model wants, or that it is reminded of. */
export interface ToolCall {
  id: string | null;
  name: string;
  /** JSON, as the model wrote it */
  arguments: string;
}

/** What the calls of a run come to. */
export interface Totals {
  /** what is known; null where nothing is. See [Cost](commands.md#cost) */
  cost_usd: number | null;
  /** the calls that are missing in it */
  unknown_costs: number;
  calls: number;
  live_calls: number;
  input_tokens: number;
  output_tokens: number;
  duration_s: number | null;
}

/** Parameters of `ao.unedit`. */
export interface UneditParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** of this field only */
  field?: "output" | "input" | null;
  /** all edits, back to the recording; else the last one, back to the one before it */
  all?: boolean;
}

/** The call of which edits were taken back. */
export interface Unedited {
  run: string;
  call: string;
  number: number;
  /** those taken back */
  fields: ("output" | "input")[];
  /** those of which the edit before counts again */
  restored: ("output" | "input")[];
}

/** Tokens, counted alike for every API. */
export interface Usage {
  input_tokens: number | null;
  /** read from a cache; among the input tokens */
  cached_tokens: number | null;
  /** written to one; among the input tokens */
  cache_write_tokens: number | null;
  output_tokens: number | null;
  /** among the output tokens */
  reasoning_tokens: number | null;
}

/** What calls will use, by what they used when they were recorded and the prices of now. */
export interface Use {
  /** what is known; null where nothing is. See [Cost](commands.md#cost) */
  cost_usd: number | null;
  /** the calls that are missing in it */
  unknown_costs: number;
  calls: number;
  /** in and out together */
  tokens: number;
  /** the calls that are missing in it */
  unknown_tokens: number;
}

/** A parameter that is not the same; null where one side does not say it. */
export interface ValueChange {
  a: unknown;
  b: unknown;
}

/** A variable whose values came from calls. */
export interface Variable {
  name: string;
  /** from 1 */
  line: number;
  /** from 0, in code points */
  column: number;
  /** it is given its value there; false: it is used */
  defined: boolean;
  /** in the order of the calls */
  sources: VariableSource[];
}

/** A call that values of a variable came from, and how they got there. */
export interface VariableSource {
  number: number;
  call: Node;
  /** from the call's line to the variable's; empty where there were too many to record */
  path: Hop[];
}

/** States of the code, newest first. */
export interface Versions {
  versions: ListedVersion[];
  total: number;
}

/** Parameters of `ao.versions`. */
export interface VersionsParams {
  /** only of the project that this folder belongs to */
  project?: string | null;
  /** at most so many */
  limit?: number;
}

/** What waits between a client and the daemon. */
export interface Waiting {
  /** as the kernel counts them */
  bytes: number;
  /** where they have been told apart */
  messages: number;
}

/** A folder that the file watcher has an eye on. */
export interface Watched {
  folder: string;
  files: number;
  /** looked through from time to time, because nothing tells of changes there */
  polled: boolean;
  /** for which interpreter files are compiled */
  python: string;
}

/** A call, whole. */
export interface WholeCall {
  messages: Message[];
  output: Output | null;
  /** the run that was asked for */
  run: string;
  call: Node;
  error: Failure | null;
  request: HttpRequest;
  /** null: none came */
  response: HttpResponse | null;
  /** the calls whose outputs it used */
  sources: NumberedEdge[];
  /** the calls that used its output */
  targets: NumberedEdge[];
  outside: Outside[];
  edits: Edit[];
  /** in a rerun: the recorded call that was served */
  source_call: string | null;
  input_edited: boolean;
  started: string;
  /** seconds from its start to the first byte of the answer */
  first_byte_s: number | null;
  /** false: the program stopped reading, or the answer broke off */
  complete: boolean;
  site: Site | null;
  /** the user's frames, innermost first */
  stack: Site[];
}

/** Where the input of a call came from. */
export interface Why {
  run: string;
  call: Node;
  messages: MessagePlace[];
  /** the part that was asked for; null: the whole input */
  part: Passage | null;
  sources: WhySource[];
  outside: Outside[];
}

/** Parameters of `ao.why`. */
export interface WhyParams {
  /** which call: its number in the run, its id, or the beginning of it */
  call: string | number;
  /** which run: its id, the beginning of it, a name, or `last` */
  run?: string;
  /** only what is in this part of the input: its first character, from 0 */
  start?: number | null;
  /** the character behind the last one of the part */
  end?: number | null;
}

/** A call whose output is in an input, and how it got there. */
export interface WhySource {
  number: number;
  source: string;
  target: string;
  evidence: "tracked" | "matched";
  /** from the source's call to this one */
  path: Hop[];
  call: Node;
  /** false: the passages are too few or too common to tell, or the value was changed */
  certain: boolean;
  /** the passages of the input that the source's output says too */
  ranges: Passage[];
}

/** What `workspace/executeCommand` takes, and gives. */
export interface Commands {
  /** recorded runs, newest first */
  "ao.runs": { params: RunsParams; result: Runs | FoundRuns };
  /** the calls of a run and which output reached which input */
  "ao.graph": { params: GraphParams; result: Graph | Drawing | OpenedGraph | OpenedDrawing };
  /** one call, whole: messages, output, request, response, edits */
  "ao.call": { params: CallParams; result: WholeCall | RawCall | OpenedCall | OpenedRawCall };
  /** choose one of the calls that were made at a place, of any run, and what to do with it */
  "ao.chooseCall": { params: ChooseCallParams; result: Chosen | Nothing };
  /** where the input of a call came from, line by line */
  "ao.why": { params: WhyParams; result: Why };
  /** which calls the values of variables came from, line by line */
  "ao.origins": { params: OriginsParams; result: Origins };
  /** what changed from run `a` to run `b`, call by call */
  "ao.diff": { params: DiffParams; result: Diff };
  /** states of the code that was run, newest first */
  "ao.versions": { params: VersionsParams; result: Versions };
  /** a file as it was, or which files there were */
  "ao.show": { params: ShowParams; result: CodeFiles | CodeText };
  /** what changed in the code from one run to another, or since */
  "ao.diffCode": { params: DiffCodeParams; result: CodeDiff };
  /** write the code of a run into a folder */
  "ao.checkout": { params: CheckoutParams; result: Checkout };
  /** a text to read, by its address */
  "ao.content": { params: ContentParams; result: Content };
  /** open what a call was asked, to read */
  "ao.openPrompt": { params: OpenPromptParams; result: Opened | Nothing };
  /** open what a call answered, to read */
  "ao.openOutput": { params: OpenOutputParams; result: Opened | Nothing };
  /** open what a rerun in the background prints, to read */
  "ao.openLog": { params: OpenLogParams; result: Opened };
  /** open what changed between two runs, to read */
  "ao.openDiff": { params: OpenDiffParams; result: Opened };
  /** open a file as it was in a run, to read */
  "ao.openCode": { params: OpenCodeParams; result: Opened };
  /** store an edit of a call; the recording stays as it is */
  "ao.edit": { params: EditParams; result: Edited };
  /** open a file in which the output of a call is edited */
  "ao.editOutput": { params: EditOutputParams; result: OpenedEdit | Nothing };
  /** open a file in which the input of a call is edited */
  "ao.editInput": { params: EditInputParams; result: OpenedEdit | Nothing };
  /** take edits of a call back, one after the other */
  "ao.unedit": { params: UneditParams; result: Unedited };
  /** what a rerun would do with each call; writes the plan of one */
  "ao.plan": { params: PlanParams; result: Forecast | Plan };
  /** rerun a program in the background */
  "ao.rerun": { params: RerunParams; result: Rerun | EndedRerun };
  /** rerun from a call, in the background, with progress */
  "ao.rerunFrom": { params: RerunFromParams; result: Rerun | Nothing };
  /** say how a program is recorded: the command line to run */
  "ao.record": { params: RecordParams; result: CommandLine };
  /** what a rerun in the background prints, from any byte on */
  "ao.output": { params: OutputParams; result: Printed };
  /** end the program of a run and what it started */
  "ao.stop": { params: StopParams; result: Stopped };
  /** a whole run as one file, for other tools and people */
  "ao.export": { params: ExportParams; result: Export };
  /** delete runs with all that belongs to them, and give the space back */
  "ao.rm": { params: RmParams; result: Deleted };
  /** whether all is well, which programs run, and what is compiled */
  "ao.status": { params: StatusParams; result: Standing };
}

/** Our own requests. */
export interface Requests {
  /** the calls of a run and which output reached which input */
  "ao/graph": { params: GraphRequestParams; result: GraphRevision | DrawingRevision };
  /** recorded runs, newest first */
  "ao/runs": { params: RunsParams; result: Runs | FoundRuns };
  /** one call, whole: messages, output, request, response, edits */
  "ao/call": { params: CallRequestParams; result: WholeCall | RawCall };
  /** what was committed after a number */
  "ao/events": { params: EventsParams; result: Events };
  /** where a call stands now in the buffer, edited or not, or in the file */
  "ao/locate": { params: LocateParams; result: Location };
  /** a text to read, by its address */
  "ao/content": { params: ContentParams; result: Content };
}

/** What a client is told. */
export interface Notifications {
  /** a run has changed */
  "$/ao/graphDidChange": { params: GraphDidChange };
  /** how the server stands, at the beginning and whenever that has changed */
  "$/ao/status": { params: Standing };
  /** a text that it has asked for has changed */
  "$/ao/contentDidChange": { params: ContentDidChange };
}

/** What a client may tell. */
export interface ClientNotifications {
  /** which graphs can be seen: only changes of these are told */
  "$/ao/didShow": { params: DidShowParams };
}
