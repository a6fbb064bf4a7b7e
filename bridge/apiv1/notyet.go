package apiv1

// notYet are the operations of Airflow 2 that have no declaration yet. They are
// answered 501.
func notYet() []operation { return nil }
