# packages: crewai==1.15.30
# edges: plan>research plan>polish research>polish polish>last plan>streamed
# note: one call into the library runs all tasks: what went into it counts for each of its calls
# concurrent: same1 same2 same3
# equal: same1 same2 same3
# edit: plan research
import os

os.environ.update(
    CREWAI_DISABLE_TELEMETRY="true", OTEL_SDK_DISABLED="true", CREWAI_DISABLE_TRACKING="true",
    CREWAI_TRACING_ENABLED="false",
)  # fmt: skip

from concurrent.futures import ThreadPoolExecutor

from crewai import LLM, Agent, Crew, Task
from openai import BadRequestError

model = LLM(model="openai/gpt-4o-mini", base_url=os.environ["OPENAI_BASE_URL"])
plan = model.call("Plan a report on lighthouses")  #: plan
print("plan", plan)
agent = Agent(role="Writer", goal="Write", backstory="You write.", llm=model, verbose=False, max_iter=3)
research = Task(description="Search: " + plan, expected_output="text", agent=agent)
polish = Task(description="Shorten what was found.", expected_output="text", agent=agent, context=[research])
result = Crew(agents=[agent], tasks=[research, polish], verbose=False).kickoff()  #: research polish
print("research", result.tasks_output[0].raw)
print("polish", result.raw)
print("last", model.call("Repeat: " + result.raw))  #: last
model.call("Nothing of that.")  #: nothing
streaming = LLM(model="openai/gpt-4o-mini", base_url=os.environ["OPENAI_BASE_URL"], stream=True)
print("streamed", streaming.call("Rate: " + plan))  #: streamed
with ThreadPoolExecutor() as pool:
    for each in [pool.submit(model.call, "Name a colour") for _ in range(3)]:  #: same1 same2 same3
        print("same", each.result())
try:
    LLM(model="openai/fail-400", base_url=os.environ["OPENAI_BASE_URL"]).call("Fail")  #: fail
except BadRequestError as error:
    print("failed", error.status_code)
