package export

// JSON is a candidate as it stands in the table: text as strings, numbers as numbers, null where a number is not known.
func JSON(r Row, c Context) any {
	o := make(object, len(r))
	for name, value := range r {
		switch c.Types[name] {
		case "INTEGER", "BIGINT":
			o[name] = whole(value)
		case "DOUBLE":
			o[name] = decimal(value)
		default:
			o[name] = value
		}
	}
	return o
}
