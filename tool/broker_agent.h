/* SPDX-License-Identifier: MIT */
#ifndef TOOL_BROKER_AGENT_H
#define TOOL_BROKER_AGENT_H

/* thimble broker agent: answers devices, as long as it runs. */
int broker_agent(int argc, char **argv);

#endif
