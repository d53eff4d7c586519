---@meta
--- What ao-lsp says to clients. Made by scripts/make-protocol from the types; docs/protocol.md explains it.

--- Both bodies byte for byte (base64), without their content encoding where that can be undone.
---@class ao.Bodies
---@field request? string
---@field response? string

--- Of each run.
---@class ao.BothTotals
---@field a ao.Totals
---@field b ao.Totals

--- Parameters of `ao.call`.
---@class ao.CallParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field raw? boolean also give both bodies as they were, base64
---@field open? boolean show it in the editor, too; elsewhere: write it to a read-only file

--- Parameters of `ao/call`.
---@class ao.CallRequestParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field raw? boolean also give both bodies as they were, base64

--- How a call stands.
---@class ao.CallState
---@field id string
---@field status "running"|"ok"|"error"|"cancelled"

--- One committed change.
---@class ao.Change
---@field session string
---@field seq integer dense within its session, and never used again
---@field at string
---@field kind string see [wire.md](wire.md#changes-eventssubscribe)
---@field run string the run that it happened in: it may be a subrun
---@field call? string null: it is about a run

--- What was written.
---@class ao.Checkout
---@field version string
---@field run? string the run that it was named by
---@field folder string
---@field files integer how many

--- Parameters of `ao.checkout`.
---@class ao.CheckoutParams
---@field version string a version or the beginning of one, or which run: its id, the beginning of it, a name, or `last`
---@field folder string where to write the files: the absolute path of a folder that is new or empty
---@field force? boolean also into a folder that is not empty: files of the same names are replaced

--- Parameters of `ao.chooseCall`.
---@class ao.ChooseCallParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field run? string which run: its id, the beginning of it, a name, or `last`

--- The call that the user chose, and did something with.
---@class ao.Chosen
---@field run string
---@field call string

--- What was deleted.
---@class ao.Cleared
---@field deleted integer runs
---@field kept integer runs that are still running
---@field freed_bytes integer

--- What a client says in `capabilities.experimental.ao`, or in `initializationOptions.ao`.
---@class ao.Client
---@field version? integer the newest version of this protocol that it knows
---@field min_version? integer the oldest one; 1 where it is missing
---@field versions? integer[] in place of both: each version that it knows
---@field content? boolean texts are opened under their addresses (`ao:///…`), and asked for by `ao/content`

--- Files that one version has otherwise than another.
---@class ao.CodeChanges
---@field added string[]
---@field changed string[]
---@field removed string[]

--- What changed in the code.
---@class ao.CodeDiff
---@field a ao.Side
---@field b ao.Side
---@field identical boolean
---@field files ao.FileDiff[]

--- A file of a version.
---@class ao.CodeFile
---@field file string
---@field executable boolean
---@field link boolean

--- The files of a version.
---@class ao.CodeFiles
---@field version string
---@field run? string the run that it was named by
---@field files ao.CodeFile[]

--- A file as it was.
---@class ao.CodeText: ao.CodeFile
---@field version string
---@field run? string the run that it was named by
---@field bytes integer
---@field text? string null of what is no UTF-8
---@field base64 string of a link: where it leads

--- How a program is recorded. Nothing is started: a program wants a terminal, which is the client's.
---@class ao.CommandLine
---@field command string a line for a shell
---@field argv string[]
---@field cwd string where to run it

--- A client of the daemon.
---@class ao.Connected
---@field role? string `record`, `cli`, `web` or `lsp`; null: it has not said yet
---@field pid integer
---@field since string
---@field run? string of a program: its run
---@field doing? string the name of its run, the editor's name, or the method that is being answered
---@field in ao.Waiting what it has sent that has had no effect yet
---@field out ao.Waiting what it has been sent and has not read

--- A text to read.
---@class ao.Content
---@field uri string
---@field language string as LSP names languages
---@field text string
---@field live boolean it may change yet
---@field gone boolean its run was deleted; the text says so

--- A text that the client has asked for has changed. It is told again only when it has asked again.
---@class ao.ContentDidChange
---@field uri string

--- Parameters of `ao.content`.
---@class ao.ContentParams
---@field uri string the address of a text: `ao:///…`

--- The pairs of calls by verdict.
---@class ao.Counts
---@field same integer
---@field changed integer
---@field added integer
---@field removed integer

--- Parameters of `daemon.clear`.
---@class ao.DaemonClearParams

--- Parameters of `daemon.status`.
---@class ao.DaemonStatusParams

--- Parameters of `daemon.stop`.
---@class ao.DaemonStopParams

--- Where recordings are.
---@class ao.Database
---@field path string
---@field bytes integer
---@field damage any what became of it when it was damaged; null: it never was

--- What was deleted.
---@class ao.Deleted
---@field deleted string[] ids of runs
---@field freed_bytes integer

--- Parameters of `$/ao/didShow`.
---@class ao.DidShowParams
---@field runs? string[] the runs whose graphs can be seen, by their ids; null: any

--- What changed from one run to another.
---@class ao.Diff
---@field a ao.Run
---@field b ao.Run
---@field identical boolean nothing changed, and both ended alike
---@field counts ao.Counts
---@field totals ao.BothTotals
---@field calls ao.Pair[] in the order of `b`

--- Parameters of `ao.diffCode`.
---@class ao.DiffCodeParams
---@field a string a version or the beginning of one, or which run: its id, the beginning of it, a name, or `last`
---@field b? string the same; null: the files as they are now

--- Parameters of `ao.diff`.
---@class ao.DiffParams
---@field a string which run: its id, the beginning of it, a name, or `last`
---@field b? string which run: its id, the beginning of it, a name, or `last`

--- A graph for people to look at.
---@class ao.Drawing
---@field run string
---@field format "text"|"mermaid"|"dot"|"svg"
---@field text string
---@field details? ao.GraphRun format `text`: the run
---@field subruns? ao.Run[] format `text`: all of them, in order of start
---@field rows? ao.Row[] format `text`: whose lines they are

--- A drawing, and how new it is.
---@class ao.DrawingRevision: ao.Drawing
---@field revision integer

--- Part of the output of one call reached the input of another.
---@class ao.Edge
---@field source string the id of a call
---@field target string the id of a call
---@field evidence "tracked"|"matched" the value was followed, or its text was found again
---@field path ao.Step[] the lines that it went through; of a matched edge none

--- An edit that counts.
---@class ao.Edit
---@field call string
---@field field "output"|"input"
---@field created string
---@field version integer how often that field was edited
---@field content string what the user wrote

--- A file in which a call is edited.
---@class ao.EditFile: ao.Edited
---@field path string
---@field content string what is in it
---@field recorded string what was recorded; saving that takes the edit back

--- Parameters of `ao.editInput`.
---@class ao.EditInputParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field among? string[] several calls by their ids: an editor asks its user which of them is meant
---@field here? boolean any call that was made at the same place is meant: an editor asks its user which

--- Parameters of `ao.editOutput`.
---@class ao.EditOutputParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field among? string[] several calls by their ids: an editor asks its user which of them is meant
---@field here? boolean any call that was made at the same place is meant: an editor asks its user which

--- Parameters of `ao.edit`.
---@class ao.EditParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field content string output: the new text, or a whole response as JSON; input: the user's new text, new messages or a whole request as JSON
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field field? "output"|"input" what the program receives, or what it sends

--- The call that was edited.
---@class ao.Edited
---@field run string the run that the call belongs to
---@field call string
---@field number integer
---@field field "output"|"input"

--- A rerun that has ended.
---@class ao.EndedRerun: ao.Rerun
---@field exit_code integer that of the program; negative: the signal that ended it

--- Why something cannot be done.
---@class ao.ErrorData
---@field code string one of the codes of [commands.md](commands.md), or a newer one
---@field message string for the user
---@field hint string what helps, for the user; may be empty

--- What a rerun will use.
---@class ao.Estimate
---@field summary string a sentence for people
---@field live ao.Use the calls that go live for certain
---@field most ao.Use with the affected ones

--- What was committed after a number.
---@class ao.Events
---@field session string
---@field seq integer what to ask after next
---@field changes? ao.Change[] in order, each once
---@field snapshot? ao.Snapshot the changes after that number are not all there any more: start from this

--- Parameters of `ao/events`.
---@class ao.EventsParams
---@field run? string all changes of this run: its id, the beginning of it, a name, or `last`
---@field session? string all changes of this session
---@field after? integer only changes numbered higher than this

--- A run as a file.
---@class ao.Export
---@field run string
---@field format "json"|"html"|"otlp"
---@field text string the file ([export.md](export.md))

--- Parameters of `ao.export`.
---@class ao.ExportParams
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field format? "json"|"html"|"otlp" one JSON document, one page, or an OpenTelemetry trace

--- Why a run or a call failed.
---@class ao.Failure
---@field type string the name of the error's class
---@field message string
---@field file? string where it was raised, if a traceback told
---@field line? integer

--- What the server makes of the client's capabilities: what it will use where commands need it.
---@class ao.Features
---@field markdown boolean hovers are Markdown
---@field show_document boolean files are opened; else their paths are told
---@field progress boolean reruns are shown as work that goes on, and can be cancelled
---@field lens_refresh boolean it is told when lenses are out of date
---@field hint_refresh boolean it is told when hints are out of date

--- A file that is not the same.
---@class ao.FileDiff
---@field file string
---@field status "added"|"changed"|"removed"
---@field diff? string in the unified format; null of files of more than 20,000 lines

--- What a rerun would do with each call.
---@class ao.Forecast
---@field parent_run string
---@field fork_call? string
---@field notes string[] what to know before
---@field counts ao.PlanCounts
---@field estimate ao.Estimate
---@field calls ao.PlannedCall[]

--- A run that says what was looked for.
---@class ao.FoundRun: ao.Summary
---@field matching_calls integer how many they are, those of subruns included
---@field matches ao.Match[] the first of them, in order, up to 20 lines

--- Runs that say what was looked for.
---@class ao.FoundRuns
---@field runs ao.FoundRun[]
---@field total integer so many do
---@field complete boolean false: not every call could be looked at in time

--- A run with its calls and the edges between them.
---@class ao.Graph
---@field run ao.GraphRun
---@field subruns ao.Run[] all of them, in order of start
---@field nodes ao.Node[] the calls in order of start, those of subruns too
---@field edges ao.Edge[]
---@field outside ao.Outside[] edges from calls that are not in this run

--- A run has changed; ask for its graph if it is shown.
---@class ao.GraphDidChange
---@field run string
---@field revision integer counts the changes of a session, upwards

--- Parameters of `ao.graph`.
---@class ao.GraphParams
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field evidence? "tracked"|"all" only edges that were tracked, or also those matched by text
---@field format? "json"|"text"|"mermaid"|"dot"|"svg" json: run, nodes, edges; else a drawing
---@field subruns? boolean draw each call of subruns, not one node for each subrun (json has each call)
---@field unfolded? string[] draw each call of these subruns (ids; format text)
---@field color? boolean with terminal colours (format text)
---@field width? integer columns of the terminal (format text)
---@field open? boolean show it in the editor, too; elsewhere: write it to a read-only file

--- Parameters of `ao/graph`.
---@class ao.GraphRequestParams
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field evidence? "tracked"|"all" only edges that were tracked, or also those matched by text
---@field format? "json"|"text"|"mermaid"|"dot"|"svg" json: run, nodes, edges; else a drawing
---@field subruns? boolean draw each call of subruns, not one node for each subrun (json has each call)
---@field unfolded? string[] draw each call of these subruns (ids; format text)
---@field color? boolean with terminal colours (format text)
---@field width? integer columns of the terminal (format text)

--- A graph, and how new it is.
---@class ao.GraphRevision: ao.Graph
---@field revision integer as high as that of the last notification: it is up to date

--- The run of a graph, with the cost of all its calls.
---@class ao.GraphRun: ao.Run
---@field cost_usd? number what is known; null where nothing is. See [Cost](commands.md#cost)
---@field unknown_costs integer the calls that are missing in it

--- A line that a value went through, with what stands there.
---@class ao.Hop: ao.Step
---@field function? string by indentation; null outside of functions, and where `text` is
---@field text? string null: the file is gone, or was written after the run began

--- What was sent, without secrets.
---@class ao.HttpRequest
---@field method string
---@field url string
---@field headers string[][] pairs of name and value
---@field body any JSON where it is JSON, a form by its fields, else text; null: its encoding cannot be undone

--- What was received.
---@class ao.HttpResponse
---@field status? integer of HTTP
---@field headers string[][] pairs of name and value
---@field body any as of a request; a stream is put together

--- Events that are read and not committed.
---@class ao.IngestQueue
---@field events integer
---@field bytes integer

--- Where versions of code are.
---@class ao.KeptVersions
---@field path string
---@field bytes integer

--- A version with the runs that had it.
---@class ao.ListedVersion
---@field version string
---@field commit string where it stands in the private history; changes when older ones are forgotten
---@field project string the path of a folder
---@field at string when it was last new
---@field files integer
---@field before? string the version before it; null: it is the project's first
---@field summary string a few words for people
---@field changes? ao.CodeChanges from the version before it
---@field left_out table<string, string> file → why it is not in it
---@field runs string[] newest first

--- Parameters of `ao/locate`.
---@class ao.LocateParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field run? string which run: its id, the beginning of it, a name, or `last`

--- Where a call stands now. Where it is not there any more: where it was recorded.
---@class ao.Location
---@field uri string
---@field line integer
---@field end_line integer
---@field moved boolean it is on another line than when it was recorded
---@field found boolean

--- A line that says what was looked for.
---@class ao.Match
---@field call string
---@field run string
---@field number integer of the call in the listed run
---@field part "prompt"|"output"
---@field text string one line
---@field start integer `text[start:end]` (code points) is what was looked for
---@field end integer

--- Runs whose texts are compared.
---@class ao.MatchingQueue
---@field running integer
---@field waiting integer

--- A message of a prompt. Images, sound and files are named by their kind, as `[image_url]`.
---@class ao.Message
---@field role string
---@field text string
---@field tool_calls ao.ToolCall[]

--- A message that is not the same in two runs; tool calls as `name(arguments)`.
---@class ao.MessageChange
---@field role string
---@field a? string null: it came
---@field b? string null: it went

--- Where a message stands in the input as one text.
---@class ao.MessagePlace
---@field role string
---@field start integer
---@field end integer

--- A call as a node of a graph.
---@class ao.Node
---@field id string
---@field run string the run that it belongs to: it may be a subrun
---@field subrun? string what that is called here, `outer / inner`; null: it is the run itself
---@field number integer its place in the run, from 1, in order of start
---@field kind string `llm`, `embedding`, `mcp`, `tool` or `http`
---@field provider? string known by the host, else by the shape of the API (`openai-compatible`)
---@field model? string as it was asked for; of `mcp` and `tool` the tool, of `http` the method and the host
---@field endpoint string the path of the request's URL; of `mcp` and `tool` see [wire.md](wire.md)
---@field status "running"|"ok"|"error"|"cancelled"
---@field origin "live"|"replayed"|"edited" sent, served from a recording, or served from an edit
---@field file? string where it was made; null: in none of the user's files
---@field line? integer
---@field end_line? integer
---@field function? string
---@field input_tokens? integer
---@field output_tokens? integer
---@field cached_tokens? integer read from a cache; among the input tokens
---@field reasoning_tokens? integer among the output tokens
---@field cost_usd? number see [Cost](commands.md#cost)
---@field duration_s? number null: it goes on
---@field streamed boolean
---@field thread? string
---@field task? string the name of the asyncio task

--- The user chose nothing.
---@class ao.Nothing

--- An edge, seen from one of its ends.
---@class ao.NumberedEdge: ao.Edge
---@field number integer of the call at the other end

--- Why a rerun cannot be started.
---@class ao.Obstacle
---@field message string
---@field hint string

--- Parameters of `ao.openCode`.
---@class ao.OpenCodeParams
---@field version string a version or the beginning of one, or which run: its id, the beginning of it, a name, or `last`
---@field file string which file, as it is called in the project, or its path
---@field line? integer the line to show, from 1

--- Parameters of `ao.openDiff`.
---@class ao.OpenDiffParams
---@field a? string the run to compare with; null: the one that `b` is a rerun of
---@field b? string which run: its id, the beginning of it, a name, or `last`

--- Parameters of `ao.openLog`.
---@class ao.OpenLogParams
---@field run? string which run: its id, the beginning of it, a name, or `last`

--- Parameters of `ao.openOutput`.
---@class ao.OpenOutputParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field among? string[] several calls by their ids: an editor asks its user which of them is meant
---@field here? boolean any call that was made at the same place is meant: an editor asks its user which
---@field format? "text"|"json" text: what was said; json: the whole request or response

--- Parameters of `ao.openPrompt`.
---@class ao.OpenPromptParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field among? string[] several calls by their ids: an editor asks its user which of them is meant
---@field here? boolean any call that was made at the same place is meant: an editor asks its user which
---@field format? "text"|"json" text: what was said; json: the whole request or response

--- A text that is shown.
---@class ao.Opened
---@field uri string its address, `ao:///…`
---@field language string as LSP names languages
---@field path? string of a read-only file, where its address cannot be opened

--- A call that is shown.
---@class ao.OpenedCall: ao.WholeCall, ao.Opened

--- A drawing that is shown.
---@class ao.OpenedDrawing: ao.Drawing, ao.Opened

--- A file in which a call is edited.
---@class ao.OpenedEdit
---@field path string

--- A graph that is shown, as text.
---@class ao.OpenedGraph: ao.Graph, ao.Opened

--- A call that is shown, and its bodies.
---@class ao.OpenedRawCall: ao.RawCall, ao.Opened

--- `initializationOptions.ao`.
---@class ao.Options: ao.Client
---@field settings? ao.Settings for clients that cannot tell settings otherwise

--- Which calls the values of variables came from. What the recording leaves a doubt of is not among them.
---@class ao.Origins
---@field run string
---@field file string
---@field variables ao.Variable[] in the order of the source

--- Parameters of `ao.origins`.
---@class ao.OriginsParams
---@field file string a source file: its path, or the one from the folder in which the program was started
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field line? integer only what is on this line, from 1; null: all that is given a value
---@field name? string only variables of this name

--- What a call gave.
---@class ao.Output
---@field text? string
---@field reasoning? string what the API shows of the model's thoughts
---@field tool_calls ao.ToolCall[]
---@field finish_reason? string
---@field model? string the model that answered, by its own word
---@field usage ao.Usage

--- Parameters of `ao.output`.
---@class ao.OutputParams
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field from? integer from this byte on: 0, or `next` of the last answer
---@field limit? integer at most so many bytes

--- An edge from a call that is not in the run: of the runs around it, or of earlier runs of the session, through
--- files that these left behind.
---@class ao.Outside: ao.Edge
---@field run string that of the source
---@field number integer of the source in its run
---@field function? string
---@field file? string where the source was made
---@field line? integer

--- A call of each run; null where the other has no counterpart.
---@class ao.Pair
---@field verdict "same"|"changed"|"added"|"removed" whether the program received the same
---@field input_changed boolean
---@field changes ("input"|"model"|"parameters"|"output"|"status")[] what differs; empty where one is missing
---@field a? ao.Node
---@field b? ao.Node
---@field messages ao.MessageChange[] of the input
---@field parameters table<string, ao.ValueChange> everything else in the request that is not the same
---@field output? ao.TextChange null where it is the same

--- A passage of an input: code points, `end` is the one behind it.
---@class ao.Passage
---@field start integer
---@field end integer
---@field text string

--- One of the calls that were made at a place.
---@class ao.PlaceCall
---@field run string
---@field call string
---@field number integer in the run
---@field name string the function that made it

--- The calls that one function made, in the runs that came to it.
---@class ao.PlaceCalls
---@field calls ao.PlaceCall[] those of the newest run first; of one run in order

--- What is needed to start a rerun.
---@class ao.Plan: ao.Forecast
---@field run string the id that it will have
---@field plan string the path of a file, for `AO_PLAN`
---@field argv string[]
---@field cwd string
---@field python string
---@field env table<string, string> variables to set over those of whoever starts it
---@field obstacle? ao.Obstacle null: it can be started

--- How many calls take which way.
---@class ao.PlanCounts
---@field calls integer
---@field replayed integer
---@field edited integer
---@field live integer
---@field affected integer among the replayed
---@field run integer tools that run again

--- Parameters of `ao.plan`.
---@class ao.PlanParams
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field from? string|integer rerun from this call: it and everything that depends on it go live
---@field policy? "live"|"strict"|"ask" what to do with a call that has no recording; null: what `on_miss` is set to, else live
---@field dry_run? boolean only say what would happen
---@field python? string the interpreter to use in place of the recorded one
---@field at_version? boolean run the code that the run had, in a scratch folder, not the code of now

--- What happens to a call.
---@class ao.PlannedCall
---@field call string
---@field number integer
---@field action "replay"|"edited"|"input"|"live"|"run" serve the recording, serve the edited output, send the edited input, send it, run the tool
---@field affected boolean it replays, unless an edit upstream changes its input: then it goes live
---@field model? string
---@field function? string
---@field line? integer

--- What a rerun printed.
---@class ao.Printed
---@field run string the id; of a subrun, that of the run around it
---@field text string both outputs as they came; what is no UTF-8 is U+FFFD
---@field next integer the byte behind it, to go on from
---@field ended boolean the run has ended, and this was the last of it

--- What is still to be done.
---@class ao.Queues
---@field ingest ao.IngestQueue
---@field matching ao.MatchingQueue
---@field spool ao.SpoolQueue

--- A call, whole, and its bodies as they were.
---@class ao.RawCall: ao.WholeCall
---@field raw ao.Bodies

--- Parameters of `ao.record`.
---@class ao.RecordParams
---@field file string the path of a program
---@field arguments? string[] what it is given on its command line

--- A rerun that was started.
---@class ao.Rerun: ao.Forecast
---@field run string its id
---@field pid integer
---@field log string the path of the file that gets its output

--- Parameters of `ao.rerunFrom`.
---@class ao.RerunFromParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field among? string[] several calls by their ids: an editor asks its user which of them is meant
---@field here? boolean any call that was made at the same place is meant: an editor asks its user which
---@field policy? "live"|"strict" what to do with a call that has no recording; null: what `on_miss` is set to, else live

--- Parameters of `ao.rerun`.
---@class ao.RerunParams
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field from? string|integer rerun from this call: it and everything that depends on it go live
---@field policy? "live"|"strict" what to do with a call that has no recording; null: what `on_miss` is set to, else live
---@field wait? boolean answer when the program has ended, with progress until then; cancelled, it is stopped
---@field python? string the interpreter to use in place of the recorded one
---@field at_version? boolean run the code that the run had, in a scratch folder, not the code of now

--- Parameters of `ao.rm`.
---@class ao.RmParams
---@field runs string[] which runs: their ids, the beginnings of them, names, or `last`

--- A line of a drawn graph that shows a call, or a subrun that is folded into one.
---@class ao.Row
---@field row integer which line of the text, from 0
---@field node ao.Node of a folded subrun: `kind` is `subrun`, `id` its own, `number` that of its first call

--- One execution of a program, or a part of one that the program has named (a subrun).
---@class ao.Run
---@field id string
---@field name string
---@field status "running"|"finished"|"failed"|"killed"|"lost"
---@field exit_code? integer null: it goes on, was killed, or is a subrun
---@field argv string[] as the program sees it
---@field started string
---@field duration_s? number null: it goes on
---@field version? string that of its code ([versions.md](versions.md)); null: none was taken
---@field parent_run? string what it is a rerun of
---@field fork_call? string the call that it was rerun from
---@field subrun_of? string the run right around it
---@field result any what the program gave as its result
---@field notes string[] what the program said of it
---@field version_exact? boolean false: it is not certain that just that code ran
---@field version_note? string why it is not

--- Runs that are recorded.
---@class ao.RunCounts
---@field total integer
---@field running integer

--- How a run stands.
---@class ao.RunState
---@field id string
---@field subrun_of? string
---@field status "running"|"finished"|"failed"|"killed"|"lost"
---@field calls ao.CallState[]

--- A program that runs.
---@class ao.Running
---@field run string
---@field name string
---@field background boolean a rerun of ours

--- Recorded runs.
---@class ao.Runs
---@field runs ao.Summary[]
---@field total integer so many match, subruns not counted

--- Parameters of `ao.runs`.
---@class ao.RunsParams
---@field limit? integer at most so many, subruns not counted
---@field name? string only runs and subruns whose name matches this regular expression
---@field within? string only the subruns of this run, in order of start
---@field grep? string only runs whose prompts or outputs contain this text, in large letters or small

--- What the server answers in `capabilities.experimental.ao`.
---@class ao.Server
---@field version integer the version that both speak from now on
---@field revision integer that of the server's schema: what was added to the version
---@field methods string[] the requests and notifications that it takes
---@field notifications string[] those that it may send
---@field features ao.Features

--- Settings of an editor ([configuration.md](configuration.md)); null is as good as missing.
---@class ao.Settings
---@field python? string the interpreter that programs are recorded with
---@field on_miss? "live"|"strict"|"ask" what a rerun does with a call without a recording
---@field lenses? boolean show code lenses
---@field hints? boolean show inlay hints
---@field variable_hints? boolean among them, on variables: which calls their values came from
---@field diagnostics? ("failed-call"|"crash"|"unused-output"|"stale-recording")[] the diagnostics to show

--- Parameters of `ao.show`.
---@class ao.ShowParams
---@field version string a version or the beginning of one, or which run: its id, the beginning of it, a name, or `last`
---@field file? string which file, as it is called in the project; null: list them

--- A side of a comparison; both are null for the files as they are now.
---@class ao.Side
---@field version? string
---@field run? string

--- An expression in the user's source. Python 3.10 tells its first line only.
---@class ao.Site
---@field file string
---@field line integer
---@field end_line? integer
---@field column? integer
---@field end_column? integer
---@field function string

--- How things stand.
---@class ao.Snapshot
---@field runs ao.RunState[]

--- Files of programs that found no daemon.
---@class ao.SpoolQueue
---@field files integer
---@field bytes integer

--- Whether all is well, and what goes on.
---@class ao.Standing
---@field health "ok"|"warning"|"error" `error`: nothing can be stored at the moment; `warning`: the database was damaged and put aside
---@field quiescent boolean no program runs, and nothing is compiled
---@field message string what is wrong and what to do, or what goes on; may be empty
---@field running ao.Running[] the first 20
---@field compiling integer so many files wait to be made ready

--- How the daemon is.
---@class ao.Status
---@field state "serving"|"retiring"|"busy" `busy` is said by the [vital signs](wire.md#vital-signs)
---@field version string of the package
---@field wire integer version of the wire
---@field pid integer
---@field daemon string its id
---@field python string
---@field started string
---@field uptime_s number
---@field idle_exit_s number 0: it stays
---@field clients ao.Connected[]
---@field reruns integer that run in the background
---@field watching ao.Watched[]
---@field queues ao.Queues
---@field runs? ao.RunCounts
---@field database? ao.Database
---@field versions? ao.KeptVersions
---@field memory_bytes integer
---@field socket string the path
---@field log string the path

--- Parameters of `ao.status`.
---@class ao.StatusParams

--- A line that a value went through.
---@class ao.Step
---@field file string
---@field line integer

--- Parameters of `ao.stop`.
---@class ao.StopParams
---@field run? string which run: its id, the beginning of it, a name, or `last`

--- A program that was ended.
---@class ao.Stopped
---@field run string
---@field subrun? string the one that was named; null: it was no subrun

--- The daemon that was stopped.
---@class ao.Stopping
---@field pid integer

--- A run with what its calls come to.
---@class ao.Summary: ao.Run
---@field session string the program and its reruns have one
---@field cwd string
---@field error? ao.Failure
---@field calls integer those of subruns included, as in all that follows
---@field failed_calls integer
---@field live_calls integer those that were sent, and not served from a recording
---@field edits integer
---@field input_tokens integer
---@field output_tokens integer
---@field cost_usd? number what is known; null where nothing is. See [Cost](commands.md#cost)
---@field unknown_costs integer the calls that are missing in it

--- An output that is not the same, the text with the tool calls below it.
---@class ao.TextChange
---@field a? string
---@field b? string

--- A call of a tool that a model wants, or that it is reminded of.
---@class ao.ToolCall
---@field id? string
---@field name string
---@field arguments string JSON, as the model wrote it

--- What the calls of a run come to.
---@class ao.Totals
---@field cost_usd? number what is known; null where nothing is. See [Cost](commands.md#cost)
---@field unknown_costs integer the calls that are missing in it
---@field calls integer
---@field live_calls integer
---@field input_tokens integer
---@field output_tokens integer
---@field duration_s? number

--- Parameters of `ao.unedit`.
---@class ao.UneditParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field field? "output"|"input" of this field only
---@field all? boolean all edits, back to the recording; else the last one, back to the one before it

--- The call of which edits were taken back.
---@class ao.Unedited
---@field run string
---@field call string
---@field number integer
---@field fields ("output"|"input")[] those taken back
---@field restored ("output"|"input")[] those of which the edit before counts again

--- Tokens, counted alike for every API.
---@class ao.Usage
---@field input_tokens? integer
---@field cached_tokens? integer read from a cache; among the input tokens
---@field cache_write_tokens? integer written to one; among the input tokens
---@field output_tokens? integer
---@field reasoning_tokens? integer among the output tokens

--- What calls will use, by what they used when they were recorded and the prices of now.
---@class ao.Use
---@field cost_usd? number what is known; null where nothing is. See [Cost](commands.md#cost)
---@field unknown_costs integer the calls that are missing in it
---@field calls integer
---@field tokens integer in and out together
---@field unknown_tokens integer the calls that are missing in it

--- A parameter that is not the same; null where one side does not say it.
---@class ao.ValueChange
---@field a any
---@field b any

--- A variable whose values came from calls.
---@class ao.Variable
---@field name string
---@field line integer from 1
---@field column integer from 0, in code points
---@field defined boolean it is given its value there; false: it is used
---@field sources ao.VariableSource[] in the order of the calls

--- A call that values of a variable came from, and how they got there.
---@class ao.VariableSource
---@field number integer
---@field call ao.Node
---@field path ao.Hop[] from the call's line to the variable's; empty where there were too many to record

--- States of the code, newest first.
---@class ao.Versions
---@field versions ao.ListedVersion[]
---@field total integer

--- Parameters of `ao.versions`.
---@class ao.VersionsParams
---@field project? string only of the project that this folder belongs to
---@field limit? integer at most so many

--- What waits between a client and the daemon.
---@class ao.Waiting
---@field bytes integer as the kernel counts them
---@field messages integer where they have been told apart

--- A folder that the file watcher has an eye on.
---@class ao.Watched
---@field folder string
---@field files integer
---@field polled boolean looked through from time to time, because nothing tells of changes there
---@field python string for which interpreter files are compiled

--- A call, whole.
---@class ao.WholeCall
---@field messages ao.Message[]
---@field output? ao.Output
---@field run string the run that was asked for
---@field call ao.Node
---@field error? ao.Failure
---@field request ao.HttpRequest
---@field response? ao.HttpResponse null: none came
---@field sources ao.NumberedEdge[] the calls whose outputs it used
---@field targets ao.NumberedEdge[] the calls that used its output
---@field outside ao.Outside[]
---@field edits ao.Edit[]
---@field source_call? string in a rerun: the recorded call that was served
---@field input_edited boolean
---@field started string
---@field first_byte_s? number seconds from its start to the first byte of the answer
---@field complete boolean false: the program stopped reading, or the answer broke off
---@field site? ao.Site
---@field stack ao.Site[] the user's frames, innermost first

--- Where the input of a call came from.
---@class ao.Why
---@field run string
---@field call ao.Node
---@field messages ao.MessagePlace[]
---@field part? ao.Passage the part that was asked for; null: the whole input
---@field sources ao.WhySource[]
---@field outside ao.Outside[]

--- Parameters of `ao.why`.
---@class ao.WhyParams
---@field call string|integer which call: its number in the run, its id, or the beginning of it
---@field run? string which run: its id, the beginning of it, a name, or `last`
---@field start? integer only what is in this part of the input: its first character, from 0
---@field end? integer the character behind the last one of the part

--- A call whose output is in an input, and how it got there.
---@class ao.WhySource
---@field number integer
---@field source string
---@field target string
---@field evidence "tracked"|"matched"
---@field path ao.Hop[] from the source's call to this one
---@field call ao.Node
---@field certain boolean false: the passages are too few or too common to tell, or the value was changed
---@field ranges ao.Passage[] the passages of the input that the source's output says too

---@alias ao.Command
---| "ao.runs" # recorded runs, newest first: takes ao.RunsParams, gives ao.Runs|ao.FoundRuns
---| "ao.graph" # the calls of a run and which output reached which input: takes ao.GraphParams, gives ao.Graph|ao.Drawing|ao.OpenedGraph|ao.OpenedDrawing
---| "ao.call" # one call, whole: messages, output, request, response, edits: takes ao.CallParams, gives ao.WholeCall|ao.RawCall|ao.OpenedCall|ao.OpenedRawCall
---| "ao.chooseCall" # choose one of the calls that were made at a place, of any run, and what to do with it: takes ao.ChooseCallParams, gives ao.Chosen|ao.Nothing
---| "ao.why" # where the input of a call came from, line by line: takes ao.WhyParams, gives ao.Why
---| "ao.origins" # which calls the values of variables came from, line by line: takes ao.OriginsParams, gives ao.Origins
---| "ao.diff" # what changed from run `a` to run `b`, call by call: takes ao.DiffParams, gives ao.Diff
---| "ao.versions" # states of the code that was run, newest first: takes ao.VersionsParams, gives ao.Versions
---| "ao.show" # a file as it was, or which files there were: takes ao.ShowParams, gives ao.CodeFiles|ao.CodeText
---| "ao.diffCode" # what changed in the code from one run to another, or since: takes ao.DiffCodeParams, gives ao.CodeDiff
---| "ao.checkout" # write the code of a run into a folder: takes ao.CheckoutParams, gives ao.Checkout
---| "ao.content" # a text to read, by its address: takes ao.ContentParams, gives ao.Content
---| "ao.openPrompt" # open what a call was asked, to read: takes ao.OpenPromptParams, gives ao.Opened|ao.Nothing
---| "ao.openOutput" # open what a call answered, to read: takes ao.OpenOutputParams, gives ao.Opened|ao.Nothing
---| "ao.openLog" # open what a rerun in the background prints, to read: takes ao.OpenLogParams, gives ao.Opened
---| "ao.openDiff" # open what changed between two runs, to read: takes ao.OpenDiffParams, gives ao.Opened
---| "ao.openCode" # open a file as it was in a run, to read: takes ao.OpenCodeParams, gives ao.Opened
---| "ao.edit" # store an edit of a call; the recording stays as it is: takes ao.EditParams, gives ao.Edited
---| "ao.editOutput" # open a file in which the output of a call is edited: takes ao.EditOutputParams, gives ao.OpenedEdit|ao.Nothing
---| "ao.editInput" # open a file in which the input of a call is edited: takes ao.EditInputParams, gives ao.OpenedEdit|ao.Nothing
---| "ao.unedit" # take edits of a call back, one after the other: takes ao.UneditParams, gives ao.Unedited
---| "ao.plan" # what a rerun would do with each call; writes the plan of one: takes ao.PlanParams, gives ao.Forecast|ao.Plan
---| "ao.rerun" # rerun a program in the background: takes ao.RerunParams, gives ao.Rerun|ao.EndedRerun
---| "ao.rerunFrom" # rerun from a call, in the background, with progress: takes ao.RerunFromParams, gives ao.Rerun|ao.Nothing
---| "ao.record" # say how a program is recorded: the command line to run: takes ao.RecordParams, gives ao.CommandLine
---| "ao.output" # what a rerun in the background prints, from any byte on: takes ao.OutputParams, gives ao.Printed
---| "ao.stop" # end the program of a run and what it started: takes ao.StopParams, gives ao.Stopped
---| "ao.export" # a whole run as one file, for other tools and people: takes ao.ExportParams, gives ao.Export
---| "ao.rm" # delete runs with all that belongs to them, and give the space back: takes ao.RmParams, gives ao.Deleted
---| "ao.status" # whether all is well, which programs run, and what is compiled: takes ao.StatusParams, gives ao.Standing

---@alias ao.Request
---| "ao/graph" # the calls of a run and which output reached which input: takes ao.GraphRequestParams, gives ao.GraphRevision|ao.DrawingRevision
---| "ao/runs" # recorded runs, newest first: takes ao.RunsParams, gives ao.Runs|ao.FoundRuns
---| "ao/call" # one call, whole: messages, output, request, response, edits: takes ao.CallRequestParams, gives ao.WholeCall|ao.RawCall
---| "ao/events" # what was committed after a number: takes ao.EventsParams, gives ao.Events
---| "ao/locate" # where a call stands now in the buffer, edited or not, or in the file: takes ao.LocateParams, gives ao.Location
---| "ao/content" # a text to read, by its address: takes ao.ContentParams, gives ao.Content
---| "$/ao/didShow" # which graphs can be seen: only changes of these are told: takes ao.DidShowParams

---@alias ao.Notification
---| "$/ao/graphDidChange" # a run has changed: takes ao.GraphDidChange
---| "$/ao/status" # how the server stands, at the beginning and whenever that has changed: takes ao.Standing
---| "$/ao/contentDidChange" # a text that it has asked for has changed: takes ao.ContentDidChange
