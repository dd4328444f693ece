"""Is there a Mailguard in the path? The test of Microsoft KB 320027, automated."""
