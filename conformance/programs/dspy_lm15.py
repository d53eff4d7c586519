# packages: dspy==3.4.1
# options: --gateway
# gateway: plan search write shorten nothing
# matched: plan>search plan>write search>write
# edit: shorten
# note: dspy's own engine has sockets of its own: recorded with `--gateway`, without places, arrows by text
# note: of a short answer there is too little text for an arrow (`write` to `shorten`)
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it asks the internet for prices

import dspy  # it reads that when it is imported

base = os.environ["OPENAI_BASE_URL"]
model = dspy.LM("openai/gpt-5.4", engine="lm15", api_base=base, api_key="x", cache=False)
dspy.configure(lm=model, adapter=dspy.JSONAdapter())
answer = dspy.Predict("question -> answer")

plan = answer(question="Plan: lighthouses of Portugal").answer
found = answer(question="Search: " + plan).answer
text = answer(question=f"Write: {plan} {found}").answer
print(model("Shorten: " + text))
answer(question="Nothing of that.")
print(len(plan) > 0, len(text) > 0)
