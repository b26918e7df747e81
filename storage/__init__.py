"""What every database of ours needs: two ways into it, many callers' writes in one transaction, and tables that are brought up to date."""
