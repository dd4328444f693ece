"""The appliance on a running kernel: NFQUEUE, netfilter rules, workers."""
