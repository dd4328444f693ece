"""Client, firewall and mail server in network namespaces of their own."""
