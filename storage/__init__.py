"""What every database of ours needs: many callers' writes in one transaction, and files that are private."""
