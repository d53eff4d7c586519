# packages: dspy==3.4.1
# follow: dspy:litellm
# edges: plan>search plan>write search>write write>shorten
# edit: shorten
# note: through litellm, which dspy takes where `OPENAI_BASE_URL` is set, as under `--gateway`
# note: its own engine, its default elsewhere, has sockets of its own and needs `--gateway`
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it asks the internet for prices

import dspy  # it reads that when it is imported

model = dspy.LM("openai/gpt-5.4", api_base=os.environ["OPENAI_BASE_URL"], api_key="x", cache=False)
dspy.configure(lm=model, adapter=dspy.JSONAdapter())
answer = dspy.Predict("question -> answer")

plan = answer(question="Plan: lighthouses of Portugal").answer  #: plan
found = answer(question="Search: " + plan).answer  #: search
text = answer(question=f"Write: {plan} {found}").answer  #: write
print(model("Shorten: " + text))  #: shorten
answer(question="Nothing of that.")  #: nothing
print(len(plan) > 0, len(text) > 0)
